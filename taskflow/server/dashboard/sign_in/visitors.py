"""The visitors of the dashboard: who a request is of, and where one signs in.

By default they are the users of the store. An application around the dashboard may have users of its own.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request

from taskflow.app import TaskFlow
from taskflow.definition.calls.users import User
from taskflow.server.dashboard.sign_in.sessions import session_secret
from taskflow.server.dashboard.view.links import root_url

Scope = MutableMapping[str, Any]
"""ASGI's description of a request."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in user.

    Attributes:
        secret: A secret of the session, from which the token of its forms follows.
    """

    user: User
    secret: str


class Visitors(Protocol):
    """The visitors of a dashboard."""

    async def find(self, scope: Scope) -> Visitor | None:
        """Return the user of a request, None for one who has not signed in. An error becomes the answer."""
        ...

    async def is_open(self, scope: Scope) -> bool:
        """Whether the session of an earlier request is still open. Open pages ask every few seconds."""
        ...

    def sign_in(self, after: str) -> str:
        """Return the address where one signs in, and comes back from to an address below the prefix."""
        ...

    async def leave(self, scope: Scope) -> None:
        """End the session of a request."""
        ...


class StoreVisitors:
    """The users of ``taskflow users``, and their sessions in the store."""

    def __init__(self, flow: TaskFlow) -> None:
        self._users = flow.engine.users

    async def find(self, scope: Scope) -> Visitor | None:
        """Return the user of a session, which each use prolongs."""
        secret = session_secret(Request(scope))
        user = await self._users.acheck_session(secret) if secret else None
        return None if user is None else Visitor(user, secret)

    async def is_open(self, scope: Scope) -> bool:
        """Whether a session is open, without prolonging it."""
        return await self._users.ais_open(session_secret(Request(scope)))

    def sign_in(self, after: str) -> str:
        """Return the address of the dashboard's own form."""
        return root_url("signin", next=after)

    async def leave(self, scope: Scope) -> None:
        """Close a session."""
        await self._users.aclose_session(session_secret(Request(scope)))
