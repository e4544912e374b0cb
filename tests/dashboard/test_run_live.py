"""Live updates of a run's page: it grows while the run goes on, and ends with it."""

import asyncio

import pytest

from taskflow.server.dashboard.live.topic import Follower, Message
from taskflow.server.dashboard.pages.run.live import follow
from tests.conftest import StartFleet
from tests.projects import spanned_tasks as tasks
from tests.support.fleet import TASKS
from tests.support.servers import RedisServer


@pytest.mark.timeout(60)
async def test_a_page_gets_what_a_run_does_until_its_end(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Open spans, then their ends; the events "documents" and "end"; nothing of another run."""
    fleet = start_fleet(valkey.url)
    fleet.start_node(executor="async", TASKFLOW_TASKS=f"{TASKS},tests.projects.spanned_tasks")
    handle = await tasks.slow.atrigger(3.0)
    messages: list[Message] = []
    async with asyncio.timeout(40):
        async for message in follow(Follower(fleet.flow.engine, f"{handle.id}?fold=0")):
            messages.append(message)
            if message.event == "end":
                break
    parts = [message.parts for message in messages if message.parts]
    assert any('hx-target="#trace"' in text and "data-open" in text for text in parts)
    assert any(">long</a>" in text and "data-open" in text for text in parts), "the span while it is open"
    assert 'data-status="COMPLETED"' in parts[-1] or any('data-status="COMPLETED"' in text for text in parts)
    assert [message.event for message in messages if message.event] == ["end"]


async def test_the_page_of_an_unknown_run_ends_at_once(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The topic comes from an address, which may hold anything."""
    fleet = start_fleet(valkey.url)
    async with asyncio.timeout(20):
        for argument in ("run_none", "", "x?y=z", "<script>"):
            found = [message.event async for message in follow(Follower(fleet.flow.engine, argument))]
            assert found == ["end"]
