"""Links that sign in once, for the person at the terminal of ``taskflow dev``. Other servers have none."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from taskflow.app import TaskFlow
from taskflow.definition.calls.users import Role, User
from taskflow.server.dashboard.reading import reader_of
from taskflow.server.dashboard.refusals import PageProblem, refusal
from taskflow.server.dashboard.sign_in.first_user import FIRST
from taskflow.server.dashboard.sign_in.link_keys import read_key
from taskflow.server.dashboard.sign_in.sessions import keep_session, session_secret
from taskflow.server.dashboard.view.links import root_url
from taskflow.server.dashboard.view.reader import READER


class SignInLinks:
    """Checks the links that hold a signature by a secret, and opens an admin's session for the first use of each.

    Args:
        secret: Known to the process that makes the links, and to nobody else.
        on_use: Called after a use.
    """

    def __init__(self, secret: str, on_use: Callable[[], None]) -> None:
        self._secret, self._on_use = secret, on_use

    async def enter(self, request: Request, flow: TaskFlow) -> Response:
        """Sign in. A link that was used leads on if its browser is signed in."""
        READER.set(reader_of(request, flow))
        try:
            return await self._enter(request, flow)
        except Exception as error:  # noqa: BLE001 - an unknown one is logged and answered with 500
            return refusal(request, error, {"user": None})

    async def _enter(self, request: Request, flow: TaskFlow) -> Response:
        key = request.query_params.get("key", "")
        response = RedirectResponse(root_url(), 303, {"cache-control": "no-store", "referrer-policy": "no-referrer"})
        users = flow.engine.users
        if await users.acheck_session(session_secret(request)):
            return response
        until = read_key(self._secret, key)
        if until is None or until < datetime.now(UTC):
            raise _refused("is not valid any more")
        digest = hashlib.sha256(f"sign-in {key}".encode()).hexdigest()
        if await flow.engine.single_uses.ause(digest, secrets.token_hex(8), until) != "now":
            raise _refused("was used already")
        address = request.client.host if request.client else ""
        keep_session(request, response, await users.aopen_session(await _admin(flow), address))
        self._on_use()
        return response


async def _admin(flow: TaskFlow) -> User:
    """Return the user whose session a link opens: the first one, else an admin."""
    users = flow.engine.users
    first = await users.aread(FIRST)
    if first is not None and first.role is Role.ADMIN:
        return first
    admins = [user for user in await users.alist() if user.role is Role.ADMIN]
    if not admins:
        raise PageProblem(403, "No user may do everything here", "Links sign in as an admin, and there is none.")
    return admins[0]


def _refused(why: str) -> PageProblem:
    text = f"The link {why}. Each one signs in once, within a day."
    return PageProblem(403, "This link does not sign in", text, "Use the newest link in the terminal of taskflow dev.")
