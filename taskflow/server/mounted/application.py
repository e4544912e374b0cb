"""One ASGI application of a site and the dashboard below a prefix."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from taskflow.errors import SettingsError
from taskflow.server.mounted.dashboard import MountedDashboard
from taskflow.server.mounted.lifetime import lifetime

ASGIApplication = ASGIApp


def beside(site: ASGIApp, prefix: str) -> ASGIApp:
    """Return an application of a site and the dashboard. It connects at its start and closes with the server.

    Raises:
        SettingsError: The prefix is no path.
    """
    if not prefix.startswith("/") or not prefix.strip("/") or "{" in prefix:
        raise SettingsError(f"{prefix!r} is no prefix for the dashboard. Write a path of its own: '/taskflow'.")
    prefix = prefix.rstrip("/")

    async def enter(request: Request) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '')}{prefix}/", 307)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with lifetime():
            yield

    routes = [Route(prefix, enter), Mount(prefix, MountedDashboard()), Mount("/", site)]
    return Starlette(routes=routes, lifespan=lifespan)
