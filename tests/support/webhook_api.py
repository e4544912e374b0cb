"""Deliveries to the real application in the test's process, with headers and bodies exactly as given."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette

from taskflow import WebhookEvent, webhooks
from taskflow.definition.webhooks.source import Source
from taskflow.server.app import create_app
from tests.support.dashboard import Dashboard
from tests.support.fleet import Fleet

Function = Callable[[WebhookEvent[Any]], None]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of the application."""

    status: int
    headers: dict[str, str]
    body: bytes


class Hooks:
    """Webhook tasks of an environment, and their senders."""

    def __init__(self, fleet: Fleet | Dashboard) -> None:
        self.flow = fleet.flow
        self.app: Starlette = create_app(fleet.flow)

    def declare(self, task_id: str, source: Source, **options: Any) -> str:
        """Declare a webhook task and return its path."""

        def take(event: WebhookEvent[Any]) -> None:
            """Take any event."""

        take.__qualname__ = task_id
        webhooks.task(id=task_id, source=source, **options)(take)
        return self.path(task_id)

    def path(self, task_id: str) -> str:
        """Return the path of a task."""
        return next(each.path for each in self.flow.engine.webhooks.endpoints() if each.task == task_id)

    async def send(
        self,
        path: str,
        body: bytes = b"{}",
        headers: Sequence[tuple[bytes, bytes]] = (),
        *,
        method: str = "POST",
        chunks: Sequence[bytes] | None = None,
        query: str = "",
        hangs: bool = False,
    ) -> Answered:
        """Send a request. ``chunks``: a body without a length. ``hangs``: the rest of it never comes."""
        parts = [body] if chunks is None else list(chunks)
        length = [] if chunks is not None else [(b"content-length", str(len(body)).encode())]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(b"host", b"example.com"), *length, *headers], "client": ("127.0.0.1", 1),
            "server": ("example.com", 443),
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if parts:
                return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts) or hangs}
            await asyncio.Event().wait()
            raise AssertionError("nothing more is read")

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        pairs = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
        return Answered(sent[0]["status"], dict(pairs), b"".join(each.get("body", b"") for each in sent[1:]))
