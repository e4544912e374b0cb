"""Verbs of several round trips, written once: a generator yields operations and gets their results; two shells."""

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from taskflow.errors import TaskflowError
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.operation import Operation
from taskflow.store.sync_store import Store
from taskflow.store.wire import names_no_run, shard_of_run

T = TypeVar("T")
Write = tuple[Operation[Any], int]
"""An operation and its shard."""
Steps = Generator[Sequence[Write], list[Any], T]


def drive(store: Store, steps: Steps[T]) -> T:
    """Execute what a verb yields, each list in one write, and return what it returns."""
    try:
        writes = next(steps)
        while True:
            writes = steps.send(store.run_many(writes))
    except StopIteration as ended:
        result: T = ended.value
        return result


async def adrive(store: AsyncStore, steps: Steps[T]) -> T:
    """Execute what a verb yields. See ``drive``."""
    try:
        writes = next(steps)
        while True:
            writes = steps.send(await store.run_many(writes))
    except StopIteration as ended:
        result: T = ended.value
        return result


def shards_of_run(run_id: str, shards: int) -> Sequence[int]:
    """Return where a run may be: all shards for an adopted one, whose id does not say."""
    named = shard_of_run(run_id)
    return range(shards) if named is None or named >= shards else [named]


def found(results: Sequence[Any]) -> Any:
    """Return the result of the one shard that knows the run of an operation sent to several; or the error."""
    known = [each for each in results if not (isinstance(each, TaskflowError) and names_no_run(each))]
    return known[0] if known else results[0]


def checked(result: Any) -> Any:
    """Return a result, or raise the error that it is."""
    if isinstance(result, TaskflowError):
        raise result
    return result
