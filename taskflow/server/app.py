"""The ASGI application of one environment, made from the route table."""

from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from taskflow.app import TaskFlow
from taskflow.server.access_log import AccessLog
from taskflow.server.cors import Cors
from taskflow.server.dashboard.app import dashboard_app
from taskflow.server.dashboard.sign_in.links import SignInLinks
from taskflow.server.endpoint import Endpoint
from taskflow.server.openapi import document
from taskflow.server.problems import on_failure, on_http_exception
from taskflow.server.routes import ROUTES, by_path
from taskflow.server.state import ServerState
from taskflow.server.unread_bodies import UnreadBodies

_METHODS: Final = ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT")
"""A path takes all, so that ``Endpoint`` refuses the others of its own, as JSON."""


def create_app(flow: TaskFlow, links: SignInLinks | None = None) -> Starlette:
    """Return the application of an environment. Its state is ``app.state.server``.

    Args:
        links: Links that sign in to the dashboard. Default: there are none.
    """
    server = ServerState.of(flow, partial(document, ROUTES))
    paths = by_path()
    routes = {path: Route(path, Endpoint(server, methods).serve, methods=_METHODS) for path, methods in paths.items()}
    patience = flow.settings.server_body_timeout.total_seconds()
    middleware = [Middleware(AccessLog), Middleware(UnreadBodies, seconds=patience)]
    if origins := flow.settings.server_cors_origins:
        for_pages = [routes[path] for path, methods in paths.items() if any(route.access.action for route in methods)]
        middleware.append(Middleware(Cors, origins=origins, routes=for_pages))
    app = Starlette(
        routes=[*routes.values(), *_dashboard_routes(flow, server, links)],
        middleware=middleware,
        exception_handlers={HTTPException: on_http_exception, Exception: on_failure},
    )
    app.router.redirect_slashes = False  # senders of webhooks, and clients that POST, do not follow a redirect
    app.state.server = server
    return app


def _dashboard_routes(flow: TaskFlow, server: ServerState, links: SignInLinks | None) -> list[Route]:
    """Return the paths of the dashboard. Every other path is the API's, which refuses it as JSON."""
    dashboard = dashboard_app(flow, server, links=links)
    environment = flow.settings.environment
    paths = (
        "/",
        "/signin",
        *(("/signin/link",) if links else ()),
        "/signout",
        "/assets/{name}",
        f"/{environment}",
        f"/{environment}/{{rest:path}}",
    )
    return [Route(path, dashboard) for path in paths]
