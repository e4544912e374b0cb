"""Verbs are written once, as generators of steps. ``drive`` executes the steps blocking, ``adrive`` in an event loop.

A generator yields a step and receives its result. What the step raises is raised at the ``yield``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from taskflow.errors import TaskflowError
from taskflow.seams.steps import adrive_steps, drive_steps
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.operation import Operation
from taskflow.store.sync_store import Store
from taskflow.store.wire import names_no_run

T = TypeVar("T")
Write = tuple[Operation[Any], int]
"""An operation and its shard. As a step: one round trip, whose error is raised."""


@dataclass(frozen=True, slots=True)
class OnRun:
    """One operation on the shard of a run; an adopted run is searched on every shard."""

    run_id: str
    operation: Operation[Any]


@dataclass(frozen=True, slots=True)
class Blocking:
    """A call that blocks, for example to the history or the object store. An event loop makes it in a thread."""

    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Twins:
    """A call that exists for both shells, for example waiting for a run."""

    blocking: Callable[[], Any]
    awaited: Callable[[], Awaitable[Any]]


Step = Write | list[Write] | OnRun | Blocking | Twins
"""The next step of a verb. A list of writes is one round trip; its result is a list of results and errors."""
Steps = Generator[Step, Any, T]


def drive(store: Store, steps: Steps[T]) -> T:
    """Execute the steps of a verb, and return the verb's result."""
    return drive_steps(partial(_execute, store), steps)


async def adrive(store: AsyncStore, steps: Steps[T]) -> T:
    """Execute the steps of a verb in an event loop. See ``drive``."""
    return await adrive_steps(partial(_aexecute, store), steps)


def _execute(store: Store, step: Step) -> Any:
    if isinstance(step, tuple):
        return store.run(step[0], shard=step[1])
    if isinstance(step, list):
        return store.run_many(step)
    if isinstance(step, OnRun):
        return store.run_for(step.run_id, step.operation)
    return step.call() if isinstance(step, Blocking) else step.blocking()


async def _aexecute(store: AsyncStore, step: Step) -> Any:
    if isinstance(step, tuple):
        return await store.run(step[0], shard=step[1])
    if isinstance(step, list):
        return await store.run_many(step)
    if isinstance(step, OnRun):
        return await store.run_for(step.run_id, step.operation)
    return await (asyncio.to_thread(step.call) if isinstance(step, Blocking) else step.awaited())


def result_of_shards(results: list[Any]) -> Any:
    """Return the result of the one shard that has the run, when an operation was sent to several; or the error."""
    known = [each for each in results if not (isinstance(each, TaskflowError) and names_no_run(each))]
    return known[0] if known else results[0]


def checked(result: Any) -> Any:
    """Return a result, or raise the error that it is."""
    if isinstance(result, TaskflowError):
        raise result
    return result
