"""The dashboard as an ASGI application, from the table of pages."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from taskflow.app import TaskFlow
from taskflow.server.dashboard.assets import serve_asset
from taskflow.server.dashboard.gate import Gate
from taskflow.server.dashboard.headers import SecurityHeaders
from taskflow.server.dashboard.page import Page
from taskflow.server.dashboard.reading import reader_of
from taskflow.server.dashboard.refusals import PageProblem, refusal
from taskflow.server.dashboard.sign_in.links import SignInLinks
from taskflow.server.dashboard.sign_in.outer import OuterSignIn
from taskflow.server.dashboard.sign_in.pages import SignIn
from taskflow.server.dashboard.sign_in.visitors import StoreVisitors, Visitors
from taskflow.server.dashboard.table import PAGES
from taskflow.server.dashboard.view.links import url
from taskflow.server.dashboard.view.reader import READER
from taskflow.server.state import ServerState

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def dashboard_app(
    flow: TaskFlow,
    server: ServerState | None = None,
    visitors: Visitors | None = None,
    links: SignInLinks | None = None,
) -> Starlette:
    """Return the dashboard of an environment, for mounting in an ASGI application of one's own.

    Its paths are ``/``, ``/signin``, ``/signout``, ``/assets/...`` and ``/<environment>/...``, below the prefix at
    which it is mounted. Users are those of ``taskflow users``.

    Args:
        server: The state of the server around it, whose open streams count together with its own.
        visitors: The users of the application around it, who sign in there. Default: those of ``taskflow users``.
        links: Links that sign in without a password. Default: there are none.
    """

    async def first(request: Request) -> Response:
        READER.set(reader_of(request, flow))
        return RedirectResponse(url("runs"), 303)

    async def missing(request: Request, _: Exception) -> Response:
        READER.set(reader_of(request, flow))
        problem = PageProblem(404, "There is no such page", "The address leads nowhere.", "Choose a page on the left.")
        return refusal(request, problem, {"user": None})

    known, found = {page.path for page in PAGES}, visitors or StoreVisitors(flow)
    sign_in = SignIn(flow) if visitors is None else OuterSignIn(flow, visitors)
    environment = flow.settings.environment
    routes = [
        _route("/", first, "GET"),
        _route("/signin", sign_in.show, "GET"),
        _route("/signin", sign_in.enter, "POST"),
        _route("/signout", sign_in.leave, "POST"),
        _route("/assets/{name}", serve_asset, "GET"),
        _route(f"/{environment}", first, "GET"),
        *(
            Route(
                f"/{environment}/{path}",
                Gate(flow, {page.method: page for page in pages}, known, found).serve,
                methods=_METHODS,
            )
            for path, pages in _by_path().items()
        ),
    ]
    if links is not None:
        routes.insert(0, _route("/signin/link", lambda request: links.enter(request, flow), "GET"))
    app = Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={404: missing, 405: missing},
    )
    app.router.redirect_slashes = False
    app.state.server = server or ServerState.of(flow, dict)
    return app


def _route(path: str, endpoint: Callable[[Request], Awaitable[Response]], method: str) -> Route:
    """Return a route whose requests are logged with its path."""

    async def answer(request: Request) -> Response:
        request.state.route = path
        return await endpoint(request)

    return Route(path, answer, methods=[method])


def _by_path() -> dict[str, Sequence[Page]]:
    """Return the pages of each path, in the table's order.

    Raises:
        ValueError: Two pages have one path and method.
    """
    found: dict[str, list[Page]] = {}
    for page in PAGES:
        others = found.setdefault(page.path, [])
        if any(other.method == page.method for other in others):
            raise ValueError(f"Two pages are {page.method} {page.path}.")
        others.append(page)
    return dict(found)
