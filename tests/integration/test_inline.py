"""Runs that execute in the tests' own process, with the code that a worker executes and a store in memory."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from taskflow import (
    Context,
    Local,
    ResultTimeoutError,
    Retry,
    RunFailedError,
    RunStatus,
    TaskFlow,
    metadata,
    runs,
    streams,
    task,
    tasks,
    wait,
)
from taskflow.definition.hook_sets import declared_hooks
from taskflow.definition.registry import declared
from taskflow.testing import InlineStage, StandstillError, aadvance, advance, inline, triggered


@pytest.fixture(autouse=True)
def stage() -> Iterator[InlineStage]:
    """Execute each test's runs here, with the tasks that it declares and no schedules of others."""
    with declared.isolated(is_empty=True), declared_hooks.isolated(), inline() as begun:
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


async def test_a_result_that_nothing_brings_about_is_refused_in_a_loop() -> None:
    """A coroutine that tests does not hang either, and time moves from within its loop."""

    @task(id="inline-stuck-in-loop")
    def stuck() -> str:
        wait.for_(timedelta(days=30))
        return "over"

    handle = await stuck.atrigger()
    with pytest.raises(StandstillError, match="inline-stuck-in-loop"):
        await handle.aresult()
    with pytest.raises(ResultTimeoutError):
        await handle.aresult(timeout=0.05)
    await aadvance(days=30)
    assert await handle.aresult() == "over"


def test_code_that_began_in_another_thread_goes_on_there() -> None:
    """A web framework's test client triggers in a loop of its own, and the test moves time outside of it."""
    threads: list[int] = []

    @task(id="inline-of-client")
    def reminded() -> str:
        threads.append(threading.get_ident())
        wait.for_(timedelta(days=1))
        threads.append(threading.get_ident())
        return "over"

    async def view() -> str:
        return (await reminded.atrigger()).id

    with ThreadPoolExecutor(1) as client:
        run_id = client.submit(asyncio.run, view()).result()
    assert runs.handle(run_id).status() is RunStatus.WAITING
    advance(days=1)
    assert runs.handle(run_id).result() == "over"
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


def test_coroutines_are_tried_again_without_delay() -> None:
    """As def tasks are."""

    @task(id="inline-flaky-coroutine", retry=Retry(max_attempts=3, min_delay=3600, max_delay=7200))
    async def flaky(payload: None, ctx: Context) -> int:
        if not ctx.attempt.is_last:
            raise ConnectionError("not yet")
        return ctx.attempt.number

    assert flaky.trigger(None).result() == 3


def test_the_end_of_a_test_leaves_the_code_that_waits(stage: InlineStage) -> None:
    """A finally of the task runs, in the thread of the test."""
    left: list[int] = []

    @task(id="inline-left")
    def waiting() -> None:
        try:
            wait.for_(timedelta(days=1))
        finally:
            left.append(threading.get_ident())

    waiting.trigger()
    stage.flow.end()
    stage.flow.begin()
    assert left == [threading.get_ident()]


def test_ctrl_c_within_a_task_ends_the_test() -> None:
    """It is meant for the tests, and so is the time limit of a test."""

    @task(id="inline-interrupted")
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted.trigger()


def test_a_coroutine_that_waits_for_an_item_lets_the_test_send_it() -> None:
    """Reading a stream is no wait of the run, so that the trigger returns while the coroutine reads."""
    answers = streams.input("inline-answers", str)

    @task(id="inline-reader")
    async def reader() -> str:
        return await answers.aonce()

    handle = reader.trigger()
    answers.send(handle.id, "yes")
    assert handle.result() == "yes"


def test_a_task_may_wait_for_the_result_of_a_run_that_it_has_triggered() -> None:
    """Its process would block meanwhile, and another would execute the run."""

    @task(id="inline-inner")
    def inner() -> str:
        return "inner"

    @task(id="inline-outer")
    def outer() -> str:
        return f"outer of {inner.trigger().result(timeout=60)}"

    assert outer.trigger().result() == "outer of inner"


def test_a_run_that_waits_shows_what_it_has_reported() -> None:
    """Metadata was sent up to a second later, so that a run could wait without the id of the token that it had made."""

    @task(id="inline-reports")
    def reports() -> None:
        metadata.set("token", wait.create_token().id)
        wait.for_(timedelta(days=1))

    @task(id="inline-areports")
    async def areports() -> None:
        metadata.set("token", (await wait.acreate_token()).id)
        await wait.afor_(timedelta(days=1))

    for handle in (reports.trigger(), areports.trigger()):
        assert str(runs.retrieve(handle.id).metadata["token"]).startswith("token_")


def test_log_lines_reach_the_run_and_the_test(caplog: pytest.LogCaptureFixture) -> None:
    """A test looks at either."""

    @task(id="inline-logs")
    def logs() -> None:
        logging.getLogger("shop").warning("the stock is low")

    handle = logs.trigger()
    assert "the stock is low" in caplog.messages
    assert "the stock is low" in [line.message for line in runs.logs(handle.id)]


def test_what_is_not_executed_in_place_is_named() -> None:
    """A chain with a plain Celery task does not hang."""
    app: Any = TaskFlow.current().celery
    with pytest.raises(StandstillError, match=r"a message of Celery for 'inline-plain'"):
        app.send_task("inline-plain", queue="test.small-1x.process").get(timeout=10)
