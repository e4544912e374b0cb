"""The dashboard of the current application, for mounting: made at its first request, not when a module is imported."""

import asyncio
import logging

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from taskflow.app import TaskFlow
from taskflow.errors import TaskflowError
from taskflow.server.dashboard.app import dashboard_app
from taskflow.server.dashboard.sign_in.first_user import FIRST, make_first_user
from taskflow.server.mounted.lifetime import current_state

log = logging.getLogger("taskflow.server")


class MountedDashboard:
    """An ASGI application. Its users are those of ``taskflow users``; without any it makes the first one."""

    def __init__(self) -> None:
        self._app: Starlette | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        state = await current_state()
        app = self._app
        if app is None or app.state.server is not state:
            is_new = app is None or app.state.server.flow is not state.flow
            self._app = app = dashboard_app(state.flow, state)
            if is_new:
                await asyncio.to_thread(_show_first_password, state.flow)
        await app(scope, receive, send)


def _show_first_password(flow: TaskFlow) -> None:
    try:
        password = make_first_user(flow)
    except TaskflowError as error:
        log.warning("dashboard.no_user: the first user is not made yet: %s", error)
        return
    if password:
        log.warning("Sign in to the dashboard as %s with the password %s (shown only now)", FIRST, password)
