"""CORS: answers pages of other origins, for the origins that the settings name and the routes that take tokens."""

from collections.abc import Iterable, Sequence
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS: Final = "GET,POST,PUT,PATCH,DELETE"
_HEADERS: Final = (
    "accept, authorization, content-type, last-event-id, timeout-seconds, trigger-version, x-trigger-api-version, "
    "x-trigger-branch, x-trigger-client, x-trigger-electric-version, x-trigger-realtime-streams-version, "
    "x-trigger-request-idempotency-key, x-trigger-source, x-trigger-stream-start"
)
_MAX_AGE: Final = "7200"


class Cors:
    """Adds the headers that let a page of a named origin read the answers. Cookies are never used.

    Args:
        origins: ``https://app.example``; ``*`` for all.
        routes: Those that take public tokens.
    """

    def __init__(self, app: ASGIApp, *, origins: Sequence[str], routes: Iterable[Route]) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._routes = tuple(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, a preflight included."""
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        if origin is None or not self._is_allowed(origin) or not self._is_for_pages(scope):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            headers = {
                "access-control-allow-methods": _METHODS,
                "access-control-allow-headers": _HEADERS,
                "access-control-max-age": _MAX_AGE,
                **_of_origin(origin),
            }
            await Response(None, 204, headers)(scope, receive, send)
            return

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_of_origin(origin))
                headers["access-control-expose-headers"] = "*"
            await send(message)

        await self._app(scope, receive, adding)

    def _is_allowed(self, origin: str) -> bool:
        return "*" in self._origins or origin in self._origins

    def _is_for_pages(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0] is not Match.NONE for route in self._routes)


def _of_origin(origin: str) -> dict[str, str]:
    return {"access-control-allow-origin": origin, "vary": "origin"}
