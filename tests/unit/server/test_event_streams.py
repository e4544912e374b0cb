"""Answers of server-sent events leave nothing behind, at whichever line the client hangs up."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.responses import StreamingResponse

from taskflow.server.api.records import event_streams
from taskflow.server.api.records.event_streams import SourceEvent, answer_events
from taskflow.server.call import Call

pytestmark = pytest.mark.unit


async def silent_source() -> AsyncGenerator[SourceEvent]:
    yield SourceEvent("run")
    await asyncio.Event().wait()


async def test_a_stream_that_is_closed_at_a_comment_leaves_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its wait for the next event stayed pending, and was reported when the loop ended."""
    monkeypatch.setattr(event_streams, "_PING_SECONDS", 0.01)
    server = SimpleNamespace(stream=nullcontext, stopping=asyncio.Event())
    call = cast("Call", SimpleNamespace(server=server))
    before = asyncio.all_tasks()
    answer = await answer_events(call, silent_source())
    assert isinstance(answer, StreamingResponse)
    lines = cast("AsyncGenerator[bytes, Any]", answer.body_iterator)
    assert (await anext(lines)).startswith(b"event: run")
    assert await anext(lines) == b": ping\n\n"
    await lines.aclose()
    await asyncio.sleep(0)  # a task that was canceled ends in its next turn
    assert asyncio.all_tasks() == before
