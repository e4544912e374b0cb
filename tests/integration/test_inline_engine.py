"""The engine's rules hold for runs that execute in the tests' own process: it is the same engine."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from taskflow import (
    BatchItem,
    Context,
    OutOfMemory,
    Queue,
    Retry,
    RunStatus,
    ScheduledPayload,
    astep,
    durable,
    runs,
    schedules,
    step,
    task,
    tasks,
    wait,
)
from taskflow.definition.registry import declared
from taskflow.testing import advance, inline, triggered
from taskflow.testing.in_process import world
from taskflow.worker.coroutines.running import CoroutineParking


@pytest.fixture(autouse=True)
def _stage() -> Iterator[None]:
    """Execute each test's runs here, with the tasks that it declares and no schedules of others."""
    with declared.isolated(is_empty=True), inline():
        yield


def test_parents_and_children_share_a_queue_of_one() -> None:
    """A run that waits gives its slot back."""
    queue = Queue("place-one", concurrency_limit=1)

    @task(id="place-child", queue=queue)
    def child(number: int) -> int:
        return number + 1

    @task(id="place-parent", queue=queue)
    def parent(number: int) -> int:
        return child.trigger_and_wait(number).unwrap()

    @task(id="place-aparent", queue=queue)
    async def aparent(number: int) -> int:
        return (await child.atrigger_and_wait(number)).unwrap()

    assert [parent.trigger(1).result(), aparent.trigger(1).result()] == [2, 2]


def test_a_rate_lets_one_run_start_a_minute() -> None:
    """The others wait in their queue until the test moves time."""

    @task(id="place-rate", queue=Queue("place-rate", rate_limit="1/m"))
    def limited(number: int) -> int:
        return number

    handles = [limited.trigger(number) for number in range(3)]
    assert [handle.status() for handle in handles] == ["COMPLETED", "QUEUED", "QUEUED"]
    advance(minutes=1, seconds=1)
    assert [handle.status() for handle in handles] == ["COMPLETED", "COMPLETED", "QUEUED"]
    advance(minutes=1)
    assert handles[2].result() == 2


def test_waits_nest_deeply() -> None:
    """Each parent leaves the thread to its child, so that no stack grows."""

    @task(id="place-deep")
    def deep(number: int) -> int:
        return deep.trigger_and_wait(number - 1).unwrap() + 1 if number else 0

    assert deep.trigger(60).result() == 60


def test_items_of_a_batch_have_their_own_delays() -> None:
    """Its results are there when the last one has ended."""

    @task(id="place-batch")
    def double(number: int) -> int:
        return 2 * number

    made = double.batch_trigger([1, 2, BatchItem(3, delay="5m")])
    assert [run.status for run in triggered(double)] == ["COMPLETED", "COMPLETED", "DELAYED"]
    advance(minutes=5)
    assert [result.unwrap() for result in made.results(timeout="1m")] == [2, 4, 6]


def test_runs_that_were_triggered_at_once_are_listed_in_their_order() -> None:
    """A test compares lists; runs of one millisecond have random ids."""

    @task(id="place-order")
    def numbered(number: int) -> int:
        return number

    @task(id="place-ordering")
    def ordering() -> None:
        for number in range(20):
            numbered.trigger(number)

    ordering.trigger()
    assert [run.payload for run in triggered(numbered)] == [*range(20)]


def test_a_canceled_parent_takes_its_children_along() -> None:
    """The code of both is left."""

    @task(id="place-canceled-child")
    def child() -> None:
        wait.for_("1d")

    @task(id="place-canceled-parent")
    def parent() -> None:
        child.trigger_and_wait()

    handle = parent.trigger()
    assert [handle.status(), triggered(child)[0].status] == [RunStatus.WAITING] * 2
    handle.cancel()
    assert [handle.status(), triggered(child)[0].status] == [RunStatus.CANCELED] * 2


def test_a_durable_run_does_each_step_once_and_is_replayed_as_a_whole() -> None:
    """It is unloaded at its wait, and its second attempt answers from the journal."""
    done: list[str] = []

    def note(text: str) -> str:
        done.append(text)
        return text

    @task(id="place-durable", durable=True, retry=Retry(max_attempts=2, min_delay=3600, max_delay=3600))
    def shop(number: int, ctx: Context) -> list[str]:
        first = step("reserve", note, "reserve")
        wait.for_("2d")
        second = step("name", note, str(durable.uuid4()))
        if ctx.attempt.number == 1:
            raise ConnectionError("once")
        return [first, second]

    handle = shop.trigger(1)
    assert handle.status() is RunStatus.WAITING
    advance(days=2)
    result = handle.result()
    assert result == done
    again = handle.replay()
    advance(days=2)
    assert again.result()[1] != result[1]
    assert len(done) == 4


def test_a_durable_coroutine_waits_for_several_things_at_a_time() -> None:
    """Steps, waits of days and children in asyncio.gather, over several unloads."""
    done: list[int] = []

    def note(number: int) -> int:
        done.append(number)
        return number

    @task(id="place-durable-child")
    def child(number: int) -> int:
        return number

    @task(id="place-durable-gather", durable=True)
    async def gather() -> list[int]:
        async def one(number: int) -> int:
            first = await astep(f"step {number}", note, number)
            await wait.afor_(timedelta(days=number))
            return first + (await child.atrigger_and_wait(number)).unwrap()

        return list(await asyncio.gather(*map(one, (1, 2, 3))))

    handle = gather.trigger()
    assert handle.status() is RunStatus.WAITING
    advance(days=4)
    assert handle.result() == [2, 4, 6]
    assert sorted(done) == [1, 2, 3]


def test_time_waits_for_code_that_is_being_unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that only waits has no slot, and is executing until it is left."""
    suspend = CoroutineParking.suspend

    def suspend_late(parking: CoroutineParking) -> None:
        time.sleep(0.05)  # the loop gets no processor, and the store knows already that the code is being left
        suspend(parking)

    monkeypatch.setattr(CoroutineParking, "suspend", suspend_late)

    @task(id="place-unloaded-child")
    def child() -> str:
        return "done"

    @task(id="place-unloaded", durable=True)
    async def parent() -> str:
        await wait.afor_(timedelta(days=1))
        return (await child.atrigger_and_wait()).unwrap()

    handle = parent.trigger()
    advance(days=2)
    assert handle.result() == "done"


def test_a_key_is_free_at_the_end_of_its_time() -> None:
    """Also when less than a millisecond lies between the run's end and the moves of the clock."""

    @task(id="place-brief-key")
    def brief() -> None: ...

    for number in range(60):
        first = brief.trigger(idempotency_key=f"key {number}", idempotency_key_ttl="1d")
        advance(days=1)
        assert brief.trigger(idempotency_key=f"key {number}").id != first.id, number


def test_a_run_out_of_memory_moves_to_a_larger_machine() -> None:
    """The tests' process serves every machine of the project."""

    @task(id="place-memory", retry=Retry(max_attempts=2, out_of_memory="large-1x"))
    def hungry(payload: None, ctx: Context) -> str:
        if ctx.machine.name != "large-1x":
            raise OutOfMemory
        return ctx.machine.name

    assert hungry.trigger(None).result() == "large-1x"


def test_queues_of_triggers_and_tasks_by_their_ids_are_served() -> None:
    """As on a worker that has registered them."""

    @task(id="place-by-id")
    def by_id(number: int) -> int:
        return number

    assert by_id.trigger(1, queue=Queue("place-own", concurrency_limit=2)).result() == 1
    assert tasks.trigger("place-by-id", 3).result() == 3


def test_a_delayed_run_that_is_moved_starts_at_its_new_instant() -> None:
    """The old instant means nothing any more."""

    @task(id="place-moved")
    def moved() -> str:
        return "started"

    handle = moved.trigger(delay="1d")
    runs.reschedule(handle.id, "2d")
    advance(days=1, hours=1)
    assert handle.status() is RunStatus.DELAYED
    advance(days=1)
    assert handle.result() == "started"


def test_short_waits_take_no_time_and_move_the_clock() -> None:
    """A wait of up to five seconds is a sleep on a worker, and no test has to sit through it."""

    @task(id="place-short")
    def short() -> float:
        began = time.monotonic()
        wait.for_(5)
        return time.monotonic() - began

    @task(id="place-ashort")
    async def ashort() -> float:
        began = time.monotonic()
        await wait.afor_(5)
        return time.monotonic() - began

    assert max(short.trigger().result(), ashort.trigger().result()) < 4


def test_a_schedule_with_very_many_ticks_stops_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of a schedule of each second is 86,400 runs: a test would seem to hang."""
    monkeypatch.setattr(world, "MOST_STEPS", 20)

    @schedules.task(id="place-each-second", every="1s")
    def each_second(payload: ScheduledPayload) -> None: ...

    advance(seconds=5)
    before = len(triggered(each_second))
    assert before >= 4
    with pytest.raises(RuntimeError, match="advance by less, or deactivate it"):
        advance(days=1)
    assert len(triggered(each_second)) >= before + 19
