"""Runs that execute in the tests' own process, with the code that a worker executes and a store in memory."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from taskflow import Context, Local, Retry, RunFailedError, RunStatus, metadata, runs, task, tasks, wait
from taskflow.definition.hook_sets import declared_hooks
from taskflow.definition.registry import declared
from taskflow.testing import InlineStage, StandstillError, advance, inline, triggered


@pytest.fixture(autouse=True)
def stage() -> Iterator[InlineStage]:
    """Execute each test's runs here, and forget the tasks that it declares."""
    with declared.isolated(), declared_hooks.isolated(), inline() as begun:
        yield begun


def test_a_run_is_executed_before_its_trigger_returns() -> None:
    """A test reads a result in the next line."""

    @task(id="inline-double")
    def double(number: int) -> int:
        return number * 2

    handle = double.trigger(4)
    assert handle.status() is RunStatus.COMPLETED
    assert handle.result() == 8


def test_retries_take_no_time_and_are_counted() -> None:
    """A backoff of an hour is over at once, and each attempt has its number."""
    numbers: list[int] = []

    @task(id="inline-flaky", retry=Retry(max_attempts=3, min_delay=3600, max_delay=7200))
    def flaky(payload: None, ctx: Context) -> str:
        numbers.append(ctx.attempt.number)
        if not ctx.attempt.is_last:
            raise ConnectionError("not yet")
        return "at last"

    handle = flaky.trigger(None)
    assert (handle.result(), numbers) == ("at last", [1, 2, 3])
    assert [attempt.number for attempt in runs.retrieve(handle.id).attempts] == [1, 2, 3]


def test_a_run_that_fails_raises_its_error_at_the_caller() -> None:
    """The test sees the type and message of what the task has raised."""

    @task(id="inline-broken", retry=Retry(max_attempts=1))
    def broken() -> None:
        raise LookupError("no such order")

    with pytest.raises(RunFailedError, match="no such order"):
        broken.trigger().result()


def test_code_executes_in_the_thread_of_the_test() -> None:
    """Connections that belong to a thread, as Django's within a TestCase, are those of the test."""

    @task(id="inline-thread")
    def which() -> int:
        return threading.get_ident()

    assert which.trigger().result() == threading.get_ident()


def test_a_parent_waits_for_its_children_of_both_kinds() -> None:
    """Subtasks of def and async def tasks nest in both directions."""

    @task(id="inline-leaf")
    def leaf(number: int) -> int:
        return number + 1

    @task(id="inline-branch")
    async def branch(number: int) -> int:
        first, second = await asyncio.gather(leaf.atrigger_and_wait(number), leaf.atrigger_and_wait(10 * number))
        return first.unwrap() + second.unwrap()

    @task(id="inline-tree")
    def tree(number: int) -> list[int]:
        results = branch.batch_trigger_and_wait([number, number + 1])
        return [result.unwrap() for result in results]

    assert tree.trigger(1).result() == [13, 24]
    assert len(triggered()) == 7


def test_a_wait_of_days_ends_when_the_test_moves_time() -> None:
    """The code goes on in the middle of its function, with its local variables."""

    @task(id="inline-wait")
    def remind(days: int) -> str:
        wait.for_(timedelta(days=days))
        return f"after {days} days"

    @task(id="inline-await")
    async def aremind(days: int) -> str:
        await wait.afor_(timedelta(days=days))
        return f"after {days} days"

    handles = [remind.trigger(3), aremind.trigger(3)]
    advance(days=2, hours=23)
    assert [handle.status() for handle in handles] == [RunStatus.WAITING] * 2
    advance(hours=2)
    assert [handle.result() for handle in handles] == ["after 3 days"] * 2


def test_a_result_that_nothing_brings_about_is_refused() -> None:
    """The error says what each run waits for, instead of a test that hangs."""

    @task(id="inline-stuck")
    def stuck() -> None:
        wait.for_(timedelta(days=30))

    handle = stuck.trigger()
    with pytest.raises(StandstillError, match=r"(?s)wait for ever for the end of run.*inline-stuck .* is WAITING"):
        handle.result()


def test_a_delay_is_over_when_its_time_has_come() -> None:
    """A delayed run starts at its instant, not when it is triggered."""

    @task(id="inline-later")
    def later() -> str:
        return "now"

    handle = later.trigger(delay=timedelta(hours=2))
    assert handle.status() is RunStatus.DELAYED
    advance(hours=2)
    assert handle.result() == "now"


def test_hooks_middleware_locals_and_metadata_are_as_on_a_worker() -> None:
    """Everything around the function of a task happens, in its order."""
    seen: list[str] = []
    number: Local[int] = Local("inline-number")

    @task(id="inline-hooks")
    def hooked() -> int:
        seen.append("run")
        metadata.set("step", "half")
        return number.get_or_raise()

    @tasks.middleware("inline-middleware")
    def middleware():  # type: ignore[no-untyped-def]
        number.set(7)
        seen.append("before")
        yield
        seen.append("after")

    @hooked.on_start
    def start() -> None:
        seen.append("start")

    @hooked.on_success
    def success(output: int) -> None:
        seen.append(f"success {output}")

    handle = hooked.trigger()
    assert handle.result() == 7
    assert runs.retrieve(handle.id).metadata == {"step": "half"}
    assert seen == ["before", "start", "run", "success 7", "after"]


def test_a_run_that_waits_can_be_canceled() -> None:
    """Its code is left, and its hook for that is called."""
    seen: list[str] = []

    @task(id="inline-canceled")
    def waiting() -> None:
        try:
            wait.for_(timedelta(days=1))
        finally:
            seen.append("left")

    @waiting.on_cancel
    def canceled() -> None:
        seen.append("canceled")

    handle = waiting.trigger()
    assert handle.cancel()
    assert handle.status() is RunStatus.CANCELED
    assert sorted(seen) == ["canceled", "left"]


async def test_triggers_of_coroutines_execute_before_they_return() -> None:
    """A test that is a coroutine awaits the verbs with an a in front."""

    @task(id="inline-from-loop")
    def double(number: int) -> int:
        return number * 2

    handle = await double.atrigger(21)
    assert await handle.astatus() is RunStatus.COMPLETED
    assert await handle.aresult() == 42


def test_each_test_begins_with_an_empty_store(caplog: pytest.LogCaptureFixture) -> None:
    """No run of the test before is left."""
    caplog.set_level(logging.WARNING)
    assert triggered() == []
