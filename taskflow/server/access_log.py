"""The access log: one line a request, with the run and the caller's id, never a payload, a key or the path's values."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("taskflow.access")


class AccessLog:
    """Logs each request when its answer has ended."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 499  # the client hung up before an answer
        state: dict[str, str] = scope.setdefault("state", {})

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            if log.isEnabledFor(logging.INFO):
                _write(scope["method"], status, (time.perf_counter() - began) * 1000, state)


def _write(method: str, status: int, took_ms: float, state: dict[str, str]) -> None:
    route, caller, run_id = (state.get(name, "") for name in ("route", "caller", "run_id"))
    log.info(
        "http.request: %s %s %d %.1f ms%s%s",
        method,
        route or "(no such path)",
        status,
        took_ms,
        f" by {caller}" if caller else "",
        f" run {run_id}" if run_id else "",
        extra={"method": method, "route": route, "status": status, "took_ms": took_ms, "run_id": run_id},
    )
