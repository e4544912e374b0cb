"""The way of a request to its page: session, origin and CSRF token, role, page, and errors as answers."""

from collections.abc import Mapping, Set
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from taskflow.app import TaskFlow
from taskflow.definition.calls.users import User
from taskflow.engine.caller import name_caller
from taskflow.server.dashboard.audit import keep_lines
from taskflow.server.dashboard.forms import check_csrf, check_origin, csrf_token, read_form
from taskflow.server.dashboard.frame import read_frame
from taskflow.server.dashboard.page import Page
from taskflow.server.dashboard.reading import reader_of
from taskflow.server.dashboard.refusals import PageProblem, refusal
from taskflow.server.dashboard.sign_in.visitors import Visitors
from taskflow.server.dashboard.view.reader import READER
from taskflow.server.dashboard.visit import Visit

_SAFE: Final = ("GET", "HEAD")


class Gate:
    """The methods of one path of the table. ``known``: the paths of all pages, which the navigation shows."""

    def __init__(self, flow: TaskFlow, pages: Mapping[str, Page], known: Set[str], visitors: Visitors) -> None:
        self._flow, self._pages, self._known, self._visitors = flow, pages, known, visitors

    async def serve(self, request: Request) -> Response:
        """Answer a request. Every error becomes an answer."""
        READER.set(reader_of(request, self._flow))
        request.state.route = next(iter(self._pages.values())).path
        user: User | None = None
        try:
            visitor = await self._visitors.find(request.scope)
            if visitor is None:
                return self._to_sign_in(request)
            user, csrf = visitor.user, csrf_token(visitor.secret)
            READER.set(reader_of(request, self._flow, csrf))
            return await self._answer(request, user, csrf)
        except Exception as error:  # noqa: BLE001 - an unknown one is logged and answered with 500
            return refusal(request, error, {"user": user})

    async def _answer(self, request: Request, user: User, csrf: str) -> Response:
        page = self._pages.get("GET" if request.method == "HEAD" else request.method)
        if page is None:
            raise PageProblem(405, "That is not possible here", f"The page does not take {request.method}.")
        request.state.caller = user.name
        request.scope["taskflow_section"] = page.path.partition("/")[0]
        visit = Visit(request, self._flow, user, self._known, visitors=self._visitors)
        if request.method not in _SAFE:
            check_origin(request, self._flow.settings)
            visit.form = await read_form(request, self._flow.settings)
            check_csrf(visit.form, csrf)
        if not visit.may(page.role):
            text = f"It needs the role {page.role}, and {user.name} has {user.role}. Nothing has changed."
            raise PageProblem(403, "That is not allowed", text, "Ask an admin for the role.")
        if not page.is_stream and not visit.target:
            visit.frame = await read_frame(self._flow.engine)
        name_caller(user.name, f"user {user.name}")
        try:
            return await page.handler(visit)
        finally:
            name_caller("")
            await keep_lines(self._flow.engine.audit, visit.lines)

    def _to_sign_in(self, request: Request) -> Response:
        """Send the browser to the page where one signs in, from which it comes back."""
        query = f"?{request.url.query}" if request.url.query else ""
        here = request.scope["path"].removeprefix(request.scope.get("root_path", "").rstrip("/")) + query
        if request.headers.get("hx-request") == "true":
            return Response(status_code=401, headers={"hx-redirect": self._visitors.sign_in("")})
        return RedirectResponse(self._visitors.sign_in(here if request.method in _SAFE else ""), 303)
