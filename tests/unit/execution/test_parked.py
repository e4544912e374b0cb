"""The detection that a run's code can only wait. Code that is about to go on does not only wait."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from taskflow.execution.waiting.parked import can_only_wait


async def gathered(task: "asyncio.Task[None]") -> None:
    """Await it in gather."""
    await asyncio.gather(task)


async def waited(task: "asyncio.Task[None]") -> None:
    """Await it in asyncio.wait."""
    await asyncio.wait([task])


@pytest.mark.parametrize("join", [gathered, waited])
def test_a_task_that_has_just_ended_is_about_to_wake_another(join: Callable[[Any], Awaitable[None]]) -> None:
    """Between the end of a task and the callbacks of its end, what awaits it still seems to wait."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        wait: asyncio.Future[None] = loop.create_future()
        tasks: set[asyncio.Task[Any]] = set()
        found: list[bool] = []

        async def leaf() -> None:
            await asyncio.sleep(0)
            loop.call_soon(look)  # before the callbacks of its end, which are scheduled when it has ended

        async def joins() -> None:
            child = asyncio.create_task(leaf())
            tasks.add(child)
            child.add_done_callback(tasks.discard)
            await join(child)
            await wait

        def look() -> None:
            found.append(can_only_wait(tasks, [wait]))

        joining = asyncio.create_task(joins())
        tasks.add(joining)
        while not found:
            await asyncio.sleep(0)
        assert found == [False]
        for _ in range(5):
            await asyncio.sleep(0)
        assert can_only_wait(tasks, [wait])
        wait.set_result(None)
        assert not can_only_wait(tasks, [wait])
        await joining

    asyncio.run(main())
