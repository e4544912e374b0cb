"""A durable function's own calls to the store take no positions among the tasks that the function makes."""

import asyncio
import contextvars
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest

from taskflow.seams.journal_keys import NOWHERE, JournalScope, Scope, current_scope, in_scope
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.batches import read_statuses
from tests.support.bench import Bench, real_time


@pytest.mark.parametrize("is_lost", [False, True], ids=["at once", "after a lost connection"])
def test_an_operation_makes_no_task_in_the_functions_name(one_bench: Bench, is_lost: bool) -> None:
    """redis-py makes one for each write, so a repeated write would move the branches behind it to other keys."""
    places: list[JournalScope] = []

    def note(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        places.append((options.get("context") or contextvars.copy_context()).run(current_scope))
        return asyncio.Task(coroutine, loop=loop, **options)

    async def ask() -> None:
        store = AsyncStore(real_time(one_bench), task_scope=partial(in_scope, NOWHERE))
        asyncio.get_running_loop().set_task_factory(note)
        with in_scope(Scope(Mock())):
            await store.run(read_statuses(["run_00x"]))
            if is_lost:
                one_bench.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await store.run(read_statuses(["run_00x"]))
            await store.read_stream("events", "0")
        asyncio.get_running_loop().set_task_factory(None)
        await store.close()

    asyncio.run(ask())
    assert places, "redis-py makes no tasks any more: this test can go"
    assert all(place is None for place in places)
