"""The code of a durable run, played again and again over one journal."""

import asyncio
from collections.abc import Callable, Generator

import pytest
from pydantic import BaseModel

from taskflow import (
    Context,
    JournalError,
    Suspended,
    Wait,
    astep,
    durable,
    step,
    wait,
)
from taskflow.execution.misfit import Code, OtherVersion
from taskflow.execution.outcome import Completed, Retried
from taskflow.verbs.decorator import task
from taskflow.verbs.task import Task
from tests.unit.execution.durable_wait_store import DurableRun, error_of, soon, value_of


class Charge(BaseModel):
    """The result of a step."""

    cents: int


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
        except BaseException:  # noqa: BLE001 - the case under test
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
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))  # the step makes tasks of its own
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
    """A wait that has ended is not opened again, and its hook is called once."""
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


CHANGES: dict[str, list[tuple[str, object]]] = {
    "": [("one", int), ("two", int)],
    "another step": [("one", int), ("new", int)],
    "another kind": [("one", int), ("", None)],
    "fewer calls": [("one", int)],
    "another type": [("one", int), ("two", list)],
}
"""The calls of versions of a durable task: steps with their types, and a wait. The first one has made the journal."""


def returning(kind: object, told: list[str]) -> Callable[[], object]:
    """Return the function of a step, whose return annotation is a type."""

    def made() -> object:
        told.append("does")
        return 1

    made.__annotations__ = {"return": kind}
    return made


def changing(told: list[str], change: list[str], *, is_async: bool) -> Task[None, str]:
    """Declare a durable task that fails when it is executed the first time."""

    def end() -> str:
        if told.count("cleanup") == 0:
            raise ValueError("tried again by other code")
        return "done"

    def blocking() -> str:
        try:
            for name, kind in CHANGES[change[0]]:
                step(name, returning(kind, told)) if name else wait.for_("1h")
        except Exception:  # noqa: BLE001 - the case under test
            told.append("compensates")
        return end()

    async def coroutine() -> str:
        try:
            for name, kind in CHANGES[change[0]]:
                await (astep(name, returning(kind, told)) if name else wait.afor_("1h"))
        except Exception:  # noqa: BLE001 - the case under test
            told.append("compensates")
        return end()

    declare = task(
        id="d", durable=True, on_failure=lambda: told.append("on_failure"), cleanup=lambda: told.append("cleanup")
    )
    return declare(coroutine) if is_async else declare(blocking)


@pytest.mark.parametrize("change", [change for change in CHANGES if change])
@pytest.mark.parametrize("is_async", [False, True])
def test_code_that_does_not_fit_the_journal_of_another_version_is_left(change: str, is_async: bool) -> None:
    """The attempt has no outcome, whatever the code catches, and a rollback goes on."""
    told: list[str] = []
    changes = [""]
    run = DurableRun(changing(told, changes, is_async=is_async), code=Code("v1", "a"))
    assert isinstance(run.play(), Retried)
    changes[0], run.code = change, Code("v2", "b")
    left = run.play(2)
    assert isinstance(left, OtherVersion)
    assert (left.made_by.version, left.refused_by.version, left.key) == ("v1", "v2", "2")
    assert left.repeated == ("step 'one'", "step 'two'")
    assert told == ["does", "does", "cleanup", "cleanup"]
    changes[0], run.code = "", Code("v1", "a")
    assert value_of(run.play(3)) == "done"
