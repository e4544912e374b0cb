"""Steps of durable runs: tried again, failed, too large, in hooks, in threads and outside of runs."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from taskflow import (
    Context,
    Retry,
    RetryAfter,
    StepFailedError,
    Suspended,
    astep,
    step,
    wait,
)
from taskflow.execution.outcome import Completed, Retried
from taskflow.verbs.decorator import task
from tests.unit.execution.durable_wait_store import DurableRun, error_of, value_of

QUICK = Retry(max_attempts=3, min_delay=0, max_delay=0)


class PlainRefusal(Exception):  # noqa: N818
    """Nothing of its own."""


class CodedRefusal(Exception):  # noqa: N818
    """It can't be made again without knowing how."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


@pytest.mark.parametrize("is_async", [False, True])
def test_a_step_is_tried_again_in_place(is_async: bool) -> None:
    calls: list[int] = []

    @step(retry=QUICK)
    def flaky() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise ValueError("not yet")
        return len(calls)

    @task(id="d", durable=True)
    def work() -> int:
        return flaky()

    @task(id="da", durable=True)
    async def awork() -> int:
        return await astep("flaky", flaky, retry=QUICK)

    run = DurableRun(awork if is_async else work)
    assert value_of(run.play()) == 3
    assert len(run.entries) == 1


def test_a_long_delay_of_a_step_is_a_wait_of_the_run() -> None:
    """The tries before it are not made again."""
    calls: list[int] = []

    def flaky() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise RetryAfter("10m") if len(calls) == 2 else ValueError("not yet")
        return "at last"

    @task(id="d", durable=True)
    def work() -> str:
        return step("flaky", flaky, retry=QUICK)

    run = DurableRun(work)
    assert isinstance(run.play(), Suspended)
    assert len(calls) == 2
    assert run.due == {"1/2": timedelta(minutes=10)}
    assert value_of(run.resume()) == "at last"
    assert len(calls) == 3


@pytest.mark.parametrize("kind, again", [(PlainRefusal, PlainRefusal), (CodedRefusal, StepFailedError)])
def test_a_failure_that_the_code_went_on_from_is_one_again(kind: Any, again: type[Exception]) -> None:
    """The step is not done again, or the code could take another way."""
    calls: list[int] = []
    seen: list[Exception] = []

    def refuse() -> None:
        calls.append(1)
        raise kind(7)

    @task(id="d", durable=True)
    def work() -> str:
        try:
            step("charge", refuse)
        except (PlainRefusal, CodedRefusal, StepFailedError) as error:
            seen.append(error)
            step("tell", str)
        wait.for_("1h")
        return "refused"

    run = DurableRun(work)
    assert isinstance(run.play(), Suspended)
    assert value_of(run.resume()) == "refused"
    assert calls == [1]
    assert [type(error) for error in seen] == [kind, again]
    assert "7" in str(seen[1])


def test_a_failure_that_ends_the_attempt_is_none_in_the_next() -> None:
    calls: list[int] = []

    def flaky() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise PlainRefusal("no")
        return "yes"

    @task(id="d", durable=True)
    def work() -> str:
        return step("flaky", flaky)

    run = DurableRun(work)
    assert isinstance(run.play(), Retried)
    assert value_of(run.play(2)) == "yes"


def test_a_result_that_is_too_large_or_no_json_ends_the_run() -> None:
    """It would be so again, and its effect has happened."""

    @task(id="d", durable=True)
    def work(payload: int) -> None:
        step("big", lambda: "x" * payload if payload else object())

    assert "is 600,002 bytes of JSON and the limit is 524,288" in error_of(DurableRun(work, b"600000").play())
    assert "The result of step 'big' can't be kept" in error_of(DurableRun(work, b"0").play())


def test_a_step_that_waits_is_refused() -> None:
    """It would begin anew after it."""

    @task(id="d", durable=True)
    def work() -> None:
        step("nap", wait.for_, "1h")

    outcome = DurableRun(work).play()
    assert isinstance(outcome, Retried)
    assert "Step 'nap' can't wait" in outcome.error.message


def test_steps_in_hooks_and_within_steps_are_plain_calls() -> None:
    """The journal has the calls of the function alone, so that a resume without on_start is the same."""

    @step
    def inner() -> int:
        return 1

    def started() -> None:
        inner()

    @task(id="d", durable=True, on_start=started)
    def work() -> int:
        return step("outer", lambda: inner() + inner())

    run = DurableRun(work)
    assert value_of(run.play()) == 2
    assert list(run.entries) == ["1"]


def test_outside_of_a_durable_run_a_step_is_its_function() -> None:
    """A decorated function can be tested as it is, with its retries."""
    calls: list[int] = []

    @step(retry=QUICK)
    def flaky(most: int) -> object:
        calls.append(1)
        if len(calls) < most:
            raise ValueError
        return object

    @step(name="other")
    async def aflaky() -> object:
        return object

    assert flaky(3) is object
    assert asyncio.run(_awaited(aflaky())) is object
    assert step("named", int, "7") == 7
    assert asyncio.run(_awaited(astep("named", int, "7"))) == 7
    calls.clear()
    with pytest.raises(ValueError, match=r"^$"):
        flaky(4)


async def _awaited(awaitable: Any) -> object:
    return await awaitable


def test_a_thread_of_a_durable_run_makes_no_calls() -> None:
    """Their order would be another each time."""
    raised: list[str] = []

    @task(id="d", durable=True)
    def work() -> None:
        import contextvars

        def call() -> None:
            try:
                step("one", str)
            except Exception as error:  # noqa: BLE001 - a thread's error reaches no test by itself
                raised.append(str(error))

        thread = threading.Thread(target=contextvars.copy_context().run, args=(call,))
        thread.start()
        thread.join()

    assert isinstance(DurableRun(work).play(), Completed)
    assert "A thread of a durable run can't make its calls" in raised[0]


def test_a_thousand_steps_are_replayed_without_a_word_to_the_store() -> None:
    @task(id="d", durable=True)
    def work(ctx: Context) -> int:
        total = sum(step("add", int, str(number)) for number in range(1000))
        if ctx.attempt.number == 1:
            raise ValueError
        return total

    run = DurableRun(work)
    assert isinstance(run.play(), Retried)
    writes = run.writes
    assert writes == 1000
    assert value_of(run.play(2)) == 499500
    assert run.writes == writes
