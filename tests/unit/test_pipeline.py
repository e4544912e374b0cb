"""The operations that the coroutines of a loop send to the store together."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from taskflow import UnstorableError
from taskflow.store.connections.pools import packed
from taskflow.store.operations.operation import Operation
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


def test_an_operation_that_cannot_be_sent_costs_the_others_nothing() -> None:
    """The claims and outcomes of a thousand coroutines share a write."""

    class Picky:
        async def run_many(self, operations: Sequence[tuple[Operation[Any], int]]) -> list[Any]:
            if any("\ud800" in str(argument) for operation, _ in operations for argument in operation.args):
                raise UnstorableError("it holds a lone surrogate")
            return [operation.args[0] for operation, _ in operations]

    async def submit() -> list[object]:
        store: Any = Picky()
        pipeline = Pipeline(store)
        asked = [pipeline.submit(read_result(run_id), 0) for run_id in ("run_a", "b\ud800", "run_c")]
        return list(await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 1))

    first, second, third = asyncio.run(submit())
    assert (first, third) == ("run_a", "run_c")
    assert isinstance(second, UnstorableError)


def test_a_command_that_cannot_be_sent_is_an_error_of_ours() -> None:
    """Whichever verb was given such a text, and whatever it checks itself."""
    with pytest.raises(UnstorableError):
        packed(("SET", "key", "a\ud800"))
