"""Attempts without a node: the task of a test is executed in place or in the test's loop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from taskflow.definition.hook_sets import declared_hooks
from taskflow.definition.registry import declared
from taskflow.definition.signal import Signal
from taskflow.execution.attempt import AttemptRunner
from taskflow.execution.outcome import Outcome, Tries
from taskflow.testing import context
from taskflow.verbs.task import Task


@pytest.fixture(autouse=True)
def isolated_declarations() -> Iterator[None]:
    """Undo what a test declares."""
    with declared.isolated(), declared_hooks.isolated():
        yield


def an_attempt(
    task: Task[Any, Any],
    payload: bytes = b"{}",
    *,
    number: int = 1,
    most: int = 3,
    signal: Signal | None = None,
    stop_reason: Callable[[], str] = lambda: "",
) -> AttemptRunner:
    """Return an attempt of a run that may fail ``most`` times."""
    ctx = context(task_id=task.definition.id, attempt=number, max_attempts=most, signal=signal)
    tries = Tries(number - 1, most, "small-1x")
    return AttemptRunner(task.definition, payload, ctx, tries, 1000, random=lambda: 0.5, stop_reason=stop_reason)


def execute(attempt: AttemptRunner, settle: Callable[[Outcome], None] | None = None) -> Outcome:
    """Execute an attempt as a node would: a ``def`` task in place, an ``async def`` one in a loop that runs."""
    if not attempt.definition.is_async:
        return attempt.execute(settle)

    async def asettle(outcome: Outcome) -> None:
        await asyncio.sleep(0)
        if settle:
            settle(outcome)

    return asyncio.run(in_a_task(attempt.aexecute(asettle)))


async def in_a_task(awaitable: Awaitable[Outcome]) -> Outcome:
    """Await it in a task of its own, as a node does."""
    return await asyncio.ensure_future(awaitable)
