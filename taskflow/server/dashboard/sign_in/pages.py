"""The pages where one signs in and out."""

import logging
from datetime import timedelta
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from taskflow.app import TaskFlow
from taskflow.server.dashboard.forms import check_csrf, check_origin, csrf_token, read_form
from taskflow.server.dashboard.reading import reader_of
from taskflow.server.dashboard.refusals import PageProblem, refusal
from taskflow.server.dashboard.rendering import render
from taskflow.server.dashboard.sign_in.passwords import ais_password, turn
from taskflow.server.dashboard.sign_in.sessions import drop_session, keep_session, session_secret
from taskflow.server.dashboard.view.links import root_url
from taskflow.server.dashboard.view.reader import READER

log = logging.getLogger("taskflow.audit")


class SignIn:
    """Signing in to one environment."""

    def __init__(self, flow: TaskFlow) -> None:
        self._flow, self._users = flow, flow.engine.users

    async def show(self, request: Request) -> Response:
        """Show the form."""
        READER.set(reader_of(request, self._flow))
        return self._form(request, 200, request.query_params.get("next", ""))

    async def enter(self, request: Request) -> Response:
        """Check name and password and open a session."""
        READER.set(reader_of(request, self._flow))
        try:
            return await self._enter(request)
        except Exception as error:  # noqa: BLE001 - an unknown one is logged and answered with 500
            return refusal(request, error, {"user": None})

    async def leave(self, request: Request) -> Response:
        """Close the session."""
        READER.set(reader_of(request, self._flow))
        try:
            secret = session_secret(request)
            check_origin(request, self._flow.settings)
            check_csrf(await read_form(request, self._flow.settings), csrf_token(secret))
            await self._users.aclose_session(secret)
        except Exception as error:  # noqa: BLE001 - an unknown one is logged and answered with 500
            return refusal(request, error, {"user": None})
        response = RedirectResponse(root_url("signin"), 303)
        drop_session(request, response)
        return response

    async def _enter(self, request: Request) -> Response:
        check_origin(request, self._flow.settings)
        form = await read_form(request, self._flow.settings)
        name, password, after = form.get("user", "").strip()[:64], form.get("password", ""), form.get("next", "")
        address = request.client.host if request.client else ""
        with turn() as has_turn:
            if not has_turn:
                raise PageProblem(503, "Too many people sign in at once", "The password was not checked.", "Try again.")
            left, wait = await self._users.acount_try(name, address)
            if wait is not None:
                log.warning("dashboard.sign_in: paused by %r from %s", name, address)
                return self._form(request, 429, after, name, wait=wait)
            user = await self._users.aread(name)
            is_right = await ais_password(user.password if user else None, password)
        log.info("dashboard.sign_in: %s by %r from %s", "taken" if is_right else "refused", name, address)
        if user is None or not is_right:
            return self._form(request, 401, after, name, left=left)
        await self._users.aclose_session(session_secret(request))  # the browser forgets it
        response = RedirectResponse(_inside(after), 303)
        keep_session(request, response, await self._users.aopen_session(user, address))
        return response

    def _form(
        self,
        request: Request,
        status: int,
        after: str,
        name: str = "",
        left: int | None = None,
        wait: timedelta | None = None,
    ) -> Response:
        values = {
            "after": after,
            "name": name,
            "left": left,
            "wait": wait,
            "version": version("celery-taskflow"),
            "host": request.url.hostname or "",
        }
        headers = {"cache-control": "no-store"}
        if wait is not None:
            headers["retry-after"] = str(round(wait.total_seconds()) + 1)
        return Response(render("signin.html", values), status, headers, "text/html")


def _inside(after: str) -> str:
    """Return the address to go on at, below the prefix; the first page for one that is not of this server."""
    is_ours = after.startswith("/") and not after.startswith(("//", "/\\")) and after.isprintable()
    return READER.get().prefix + after if is_ours else root_url()
