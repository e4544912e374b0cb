"""The code of a durable run, played again and again over one journal."""

import asyncio
import threading
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from taskflow import (
    Context,
    JournalError,
    Retry,
    RetryAfter,
    StepFailedError,
    Suspended,
    Wait,
    astep,
    durable,
    step,
    wait,
)
from taskflow.definition.decorator import task
from taskflow.execution.outcome import Completed, Ended, Outcome, Retried
from tests.unit.execution.durable_desk import DurableRun, soon

QUICK = Retry(max_attempts=3, min_delay=0, max_delay=0)


class Charge(BaseModel):
    """What a step returns."""

    cents: int


class PlainRefusal(Exception):  # noqa: N818
    """Nothing of its own."""


class CodedRefusal(Exception):  # noqa: N818
    """It can't be made again without knowing how."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


def value_of(outcome: Outcome | Suspended) -> object:
    """Return what the function returned."""
    assert isinstance(outcome, Completed), outcome
    return outcome.value


def error_of(outcome: Outcome | Suspended) -> str:
    """Return why the run is not tried again."""
    assert isinstance(outcome, Ended), outcome
    return f"{outcome.error.type}: {outcome.error.message}"


def test_a_retry_skips_the_steps_that_are_done() -> None:
    """Their results are typed as the functions' annotations say, the first time as well as later."""
    done: list[str] = []

    def charge(cents: int) -> Charge:
        done.append(f"charge {cents}")
        return Charge(cents=cents)

    @task(id="d", durable=True)
    def work(ctx: Context) -> list[object]:
        charged = step("charge", charge, 5)
        pair = step("pair", lambda: (1, 2))
        if ctx.attempt.number == 1:
            raise ValueError("broken")
        return [type(charged).__name__, charged.cents, pair]

    run = DurableRun(work)
    assert isinstance(run.play(), Retried)
    assert value_of(run.play(2)) == ["Charge", 5, [1, 2]]
    assert done == ["charge 5"]


def test_a_long_wait_leaves_the_code_and_the_next_play_goes_on_behind_it() -> None:
    told: list[str] = []

    def hook(wait: Wait) -> None:
        told.append(f"resume {wait.type}")

    def middleware() -> Generator[None]:
        told.append("in")
        try:
            yield
        finally:
            told.append("out")

    @task(
        id="d",
        durable=True,
        on_resume=hook,
        middleware=middleware,
        on_start=lambda: told.append("on_start"),
        on_start_attempt=lambda: told.append("on_start_attempt"),
        cleanup=lambda: told.append("cleanup"),
        on_error=lambda: told.append("on_error"),
        on_complete=lambda: told.append("on_complete"),
    )
    def work() -> str:
        try:
            step("first", told.append, "first")
            wait.for_("1h")
            step("second", told.append, "second")
            wait.for_("1h")
        finally:
            told.append("finally")
        return "done"

    run = DurableRun(work)
    assert isinstance(run.play(), Suspended)
    assert told == ["in", "on_start", "on_start_attempt", "first", "finally", "cleanup", "out"]
    told.clear()
    assert isinstance(run.resume(), Suspended)
    assert told == ["in", "resume duration", "second", "finally", "cleanup", "out"]
    told.clear()
    assert value_of(run.resume()) == "done"
    assert told == ["in", "resume duration", "finally", "on_complete", "cleanup", "out"]


@pytest.mark.parametrize("how", ["swallow", "more", "raise"])
def test_code_that_does_not_let_itself_be_left_changes_nothing(how: str) -> None:
    """It is left in any case: it has no outcome."""
    told: list[str] = []

    @task(id="d", durable=True, on_failure=lambda: told.append("failed"), on_error=lambda: told.append("error"))
    def work() -> str:
        try:
            wait.for_("1h")
        except BaseException:
            if how == "more":
                step("more", told.append, "more")
            if how == "raise":
                raise ValueError("instead") from None
        return "swallowed"

    run = DurableRun(work)
    assert isinstance(run.play(), Suspended)
    assert told == []


def test_a_call_that_does_not_match_the_journal_ends_the_run_with_both_sides_shown() -> None:
    """Also when the code goes on from the error."""
    versions = ["old", "new", "caught"]

    @task(id="d", durable=True)
    def work() -> str:
        if versions[0] == "old":
            step("one", str)
            step("charge", str)
            wait.for_("1h")
        else:
            step("one", str)
            try:
                wait.for_("1h")
            except JournalError:
                if versions[0] == "new":
                    raise
        return "wrong"

    run = DurableRun(work)
    assert isinstance(run.play(), Suspended)
    for _ in range(2):
        versions.pop(0)
        told = error_of(run.resume())
        assert told.startswith("JournalError: The code of run run_test does not fit its journal:")
        assert "the journal has step 'charge' at 2, the code asks for wait.for_" in told


def test_parallel_calls_have_places_that_timing_does_not_change() -> None:
    """By the order in which their tasks are made, nested ones too; what steps make inside does not count."""
    pace = [0.02, 0.01, 0.0]
    done: list[str] = []

    async def note(what: str) -> str:
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))  # tasks of the step's own
        done.append(what)
        return what

    async def branch(number: int) -> list[str]:
        await asyncio.sleep(pace[number])
        first = await astep(f"b{number}", note, f"b{number}")
        both = await asyncio.gather(*(astep("leaf", note, f"b{number}.{leaf}") for leaf in range(2)))
        await wait.afor_("1h")
        return [first, *both, await astep("last", note, f"last{number}")]

    @task(id="d", durable=True)
    async def work() -> list[list[str]]:
        await astep("begin", note, "begin")
        return list(await asyncio.gather(*map(branch, range(3))))

    run = DurableRun(work)
    assert isinstance(run.play(), Suspended)
    assert {"1", "1.1", "1.1.1", "1.2.1", "2.1.1", "3.2"} <= set(run.entries)
    assert len(done) == 10
    pace.reverse()
    found = value_of(run.resume())
    assert found == [[f"b{n}", f"b{n}.0", f"b{n}.1", f"last{n}"] for n in range(3)]
    assert len(done) == len(set(done)) == 13


def test_a_task_group_is_left_as_a_whole() -> None:
    ended: list[str] = []

    @task(id="d", durable=True)
    async def work() -> str:
        async def waits(duration: str) -> None:
            try:
                await wait.afor_(duration)
            finally:
                ended.append(duration)

        async with asyncio.TaskGroup() as group:
            group.create_task(waits("1h"))
            group.create_task(waits("2h"))
        return "done"

    run = DurableRun(work)
    assert isinstance(run.play(), Suspended)
    assert sorted(ended) == ["1h", "2h"]
    assert value_of(run.resume()) == "done"


def test_one_of_two_waits_is_over_and_the_other_keeps_the_run_unloaded() -> None:
    """What is done is not opened again, and its hook is told once."""
    told: list[str] = []

    def hook(wait: Wait) -> None:
        told.append(wait.type)

    @task(id="d", durable=True, on_resume=hook)
    async def work() -> str:
        async def one() -> str:
            await wait.afor_("1h")
            return await astep("after", lambda: "one")

        found = await asyncio.gather(one(), wait.afor_("2h"))
        return str(found[0])

    run = DurableRun(work)
    assert isinstance(run.play(), Suspended)
    opened = set(run.opened)
    run.complete("1.1")
    assert isinstance(run.play(is_resumed=True), Suspended)
    assert told == ["duration"]
    assert set(run.opened) == opened
    run.complete("2.1")
    assert value_of(run.play(is_resumed=True)) == "one"
    assert told == ["duration", "duration"]


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


@pytest.mark.parametrize("is_async", [False, True])
def test_time_and_chance_are_the_same_again(is_async: bool) -> None:
    """Written before the next step begins, in one go."""
    seen: list[list[object]] = []

    def draw() -> None:
        seen.append([durable.now(), durable.random(), durable.random(), durable.uuid4(), durable.uuid4()])

    @task(id="d", durable=True)
    def work() -> None:
        draw()
        step("one", str)
        wait.for_("1h")

    @task(id="da", durable=True)
    async def awork() -> None:
        draw()
        await astep("one", str)
        await wait.afor_("1h")

    run = DurableRun(awork if is_async else work)
    assert isinstance(run.play(), Suspended)
    assert isinstance(run.resume(), Completed)
    assert seen[0] == seen[1]
    assert len(set(map(str, seen[0]))) == 5


def test_a_short_wait_is_slept_once() -> None:
    @task(id="d", durable=True)
    def work(ctx: Context) -> None:
        wait.for_(0.001)
        wait.until(soon())
        wait.for_(0)
        if ctx.attempt.number == 1:
            raise ValueError

    run = DurableRun(work)
    assert isinstance(run.play(), Retried)
    assert sorted(run.entries) == ["1", "2", "3"]
    writes = run.writes
    assert isinstance(run.play(2), Completed)
    assert run.writes == writes


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
    """What is decorated can be tested as it is, with its retries."""
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
            except Exception as error:
                raised.append(str(error))

        thread = threading.Thread(target=contextvars.copy_context().run, args=(call,))
        thread.start()
        thread.join()

    assert isinstance(DurableRun(work).play(), Completed)
    assert "A thread of a durable run can't make its calls" in raised[0]


def test_a_timeout_of_the_codes_own_gives_a_wait_up() -> None:
    @task(id="d", durable=True)
    async def work(ctx: Context) -> str:
        try:
            async with asyncio.timeout(0.05):
                await asyncio.gather(wait.afor_("1h"), asyncio.sleep(9))
        except TimeoutError:
            return await astep("after", lambda: "gave up")
        return "waited"

    run = DurableRun(work)
    assert value_of(run.play()) == "gave up"
    assert run.opened == {}


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
