"""A visit: one request of a signed-in user, and the ways to answer it."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

from starlette.datastructures import ImmutableMultiDict, QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from taskflow.app import TaskFlow
from taskflow.definition.calls.users import Role, User
from taskflow.engine.engine import Engine
from taskflow.server.dashboard.audit import Line, log_line
from taskflow.server.dashboard.frame import Frame
from taskflow.server.dashboard.rendering import render_block, render_page, render_part, render_toast
from taskflow.server.dashboard.sign_in.visitors import StoreVisitors, Visitors
from taskflow.server.dashboard.view.links import Parameter, url
from taskflow.texts import cut

_LONGEST_TARGET: Final = 500
"""An index of the history has it, which PostgreSQL limits to 2,704 bytes."""
_LONGEST_REASON: Final = 1000


@dataclass(slots=True)
class Visit:
    """One request. Handlers of pages take it and return a response.

    Attributes:
        known: The paths of all pages.
        frame: The changing parts around the page.
        others: Parts outside of the page that ``parts`` also answers with.
        form: The fields of a POST, after its CSRF token was checked.
        lines: The actions that were audited. The gate keeps them before it answers.
        visitors: Those of the application around the dashboard; None: the users of the store.
    """

    request: Request
    flow: TaskFlow
    user: User
    known: Set[str]
    frame: Frame = field(default_factory=Frame)
    others: list[str] = field(default_factory=list[str])
    form: ImmutableMultiDict[str, str] = field(default_factory=lambda: ImmutableMultiDict[str, str]([]))
    lines: list[Line] = field(default_factory=list[Line])
    visitors: Visitors | None = None

    async def is_signed_in(self) -> bool:
        """Whether the session of the request is still open."""
        return await (self.visitors or StoreVisitors(self.flow)).is_open(self.request.scope)

    @property
    def engine(self) -> Engine:
        """The engine, which pages read and act by."""
        return self.flow.engine

    @property
    def query(self) -> QueryParams:
        """The parameters of the address."""
        return self.request.query_params

    @property
    def path(self) -> Mapping[str, str]:
        """The parameters of the path, by their names in the table."""
        return self.request.path_params

    @property
    def target(self) -> str:
        """The id of the part that htmx asks for; "" for a whole page."""
        if self.request.headers.get("hx-request") != "true":
            return ""
        return self.request.headers.get("hx-target", "").partition("#")[2]

    def may(self, role: Role | str) -> bool:
        """Whether the user's role allows what needs another one."""
        return self.user.role.allows(Role(role))

    def in_flower(self, page: Literal["task", "worker"], name: str) -> str:
        """Return the address of a task's or a worker's page in Flower, "" where the settings name no Flower.

        Args:
            name: The id of the run, or Celery's name of the worker.
        """
        address = self.flow.settings.flower_url
        return f"{address}/{page}/{quote(name, safe='@')}" if address else ""

    def render(self, template: str, status: int = 200, **values: object) -> Response:
        """Answer with a template, or with its block that has the name of the wanted part.

        A request of htmx for the element ``tbody#rows`` gets the block ``rows`` only, or 304 if the page shows it.
        """
        known = self.request.headers.get("if-none-match", "")
        return render_page(template, self.target, status, {**values, "visit": self, "page": self._section()}, known)

    def parts(self, template: str, *blocks: str, toast: str = "", detail: str = "", **values: object) -> Response:
        """Answer an action of htmx with changed parts of the page, each put into the element with the block's name.

        Without script it is a redirect to the page from which the action came.
        """
        if self.request.headers.get("hx-request") != "true":
            return self.back()
        texts = [render_part(template, block, {**values, "visit": self, "page": self._section()}) for block in blocks]
        texts += self.others
        if toast:
            texts.append(render_toast(toast, detail))
        return Response("".join(texts), media_type="text/html")

    def dialog(self, template: str, **values: object) -> Response:
        """Ask in a dialog, which is the block ``dialog`` of a template; without script as a page."""
        shared = {**values, "visit": self, "page": self._section()}
        if self.request.headers.get("hx-request") != "true":
            return render_page(template, "", 200, {**shared, "is_page": True})
        text = render_block(template, "dialog", {**shared, "is_page": False})
        return Response(
            f'<hx-partial hx-target="#dialog" hx-swap="innerHTML">{text}</hx-partial>', media_type="text/html"
        )

    def tell(self, title: str, detail: str = "") -> Response:
        """Answer an action with a toast; the page's live updates show the change. Without script: back to the page."""
        if self.request.headers.get("hx-request") != "true":
            return self.back()
        return Response(render_toast(title, detail), media_type="text/html")

    def go(self, /, *segments: object, **query: Parameter) -> Response:
        """Answer with a redirect to a page: after an action that made something."""
        return self._redirect(url(*segments, **query))

    def back(self) -> Response:
        """Answer with a redirect to the page from which the action came, else to the first one."""
        return self._redirect(self.form.get("back") or url("runs"))

    def audit(self, action: str, target: str, reason: str = "") -> None:
        """Keep a line about an action: who did what to which thing, and why."""
        client = self.request.client
        host = client.host if client else ""
        line = Line(self.user.name, host, action, cut(target, _LONGEST_TARGET), cut(reason, _LONGEST_REASON))
        log_line(line)
        self.lines.append(line)

    def _redirect(self, address: str) -> Response:
        if not address.startswith("/") or address.startswith(("//", "/\\")):
            address = url("runs")
        if self.request.headers.get("hx-request") == "true":
            return Response(headers={"hx-location": address})
        return RedirectResponse(address, 303)

    def _section(self) -> str:
        """Return the section of the navigation in which the page is: the first part of its path."""
        return str(self.request.scope.get("taskflow_section", ""))
