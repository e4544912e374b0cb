"""Signing in and out where the application around the dashboard has the users."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from taskflow.app import TaskFlow
from taskflow.server.dashboard.forms import check_csrf, check_origin, csrf_token, read_form
from taskflow.server.dashboard.reading import reader_of
from taskflow.server.dashboard.refusals import refusal
from taskflow.server.dashboard.sign_in.visitors import Visitors
from taskflow.server.dashboard.view.reader import READER


class OuterSignIn:
    """Leads to the application's own pages, in place of ``SignIn``."""

    def __init__(self, flow: TaskFlow, visitors: Visitors) -> None:
        self._flow, self._visitors = flow, visitors

    async def show(self, request: Request) -> Response:
        """Lead to the application's form."""
        READER.set(reader_of(request, self._flow))
        return RedirectResponse(self._visitors.sign_in(""), 303)

    async def enter(self, request: Request) -> Response:
        """Lead to the application's form: passwords are not taken here."""
        return await self.show(request)

    async def leave(self, request: Request) -> Response:
        """End the session of the application."""
        READER.set(reader_of(request, self._flow))
        try:
            visitor = await self._visitors.find(request.scope)
            if visitor is not None:
                check_origin(request, self._flow.settings)
                check_csrf(await read_form(request, self._flow.settings), csrf_token(visitor.secret))
                await self._visitors.leave(request.scope)
        except Exception as error:  # noqa: BLE001 - an unknown one is logged and answered with 500
            return refusal(request, error, {"user": None})
        return RedirectResponse(self._visitors.sign_in(""), 303)
