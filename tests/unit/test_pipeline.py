"""The operations that the coroutines of a loop send to the store together."""

import asyncio
from typing import Any

import pytest

from taskflow.store.operations.runs import read_result
from taskflow.store.pipeline import Pipeline


def test_a_write_that_breaks_is_told_to_all_who_wait_for_it() -> None:
    """They would wait for ever."""

    class Broken:
        async def run_many(self, operations: object) -> list[Any]:
            raise RuntimeError("broken")

    async def submit() -> None:
        store: Any = Broken()
        pipeline = Pipeline(store)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="broken"):
                await asyncio.wait_for(pipeline.submit(read_result("run_a"), 0), 1)

    asyncio.run(submit())
