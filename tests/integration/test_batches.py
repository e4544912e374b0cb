"""Batches on real nodes, with the store as broker and with RabbitMQ."""

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from taskflow import (
    BatchItem,
    BatchItemsError,
    BatchNotFoundError,
    BatchStatus,
    BatchTriggerError,
    ResultTimeoutError,
    RunFilter,
    RunStatus,
    TriggerOptionError,
    batch,
    idempotency_keys,
    runs,
    tasks,
)
from taskflow.store.operations.operation import Operation
from tests.conftest import MakeServer, StartFleet
from tests.projects.fleet_tasks import Nap, echo, flaky, heavy, sleep
from tests.support.fleet import ROOT, Fleet
from tests.support.processes import spawn
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


@pytest.mark.timeout(60)
def test_a_batch_is_triggered_run_and_its_results_come_in_the_order_of_its_items(fleet: Fleet) -> None:
    """By task, by id and mixed. Items have their own options, one item is wrong and one run fails."""
    fleet.start_node(concurrency=3)
    made = sleep.batch_trigger(
        [Nap(seconds=0.3), {"seconds": "x"}, BatchItem(Nap(), tags="quick", max_attempts=1)]  # type: ignore[list-item]  # a mistake
    )
    assert [(error.index, error.task_id, error.type) for error in made.errors] == [(1, "t-sleep", "PayloadError")]
    mixed = batch.trigger([(echo, {"a": 1}), ("t-flaky", BatchItem(9, max_attempts=1)), (echo, "last"), ("t-sleep", 1)])
    by_id = tasks.batch_trigger("t-echo", iter(["x", "y"]))
    slow, wrong, quick = made.results(30)
    assert (slow.unwrap(), quick.unwrap()) == made.run_ids
    assert not wrong.ok
    assert wrong.error
    assert "seconds" in wrong.error.message
    results = mixed.results(30)
    assert [result.output for result in results] == [{"a": 1}, None, "last", None]
    assert [result.status for result in results][:2] == [RunStatus.COMPLETED, RunStatus.FAILED]
    assert [result.output for result in by_id.results(30)] == ["x", "y"]
    record = made.retrieve()
    assert (record.status, record.item_count, record.run_ids) == (BatchStatus.COMPLETED, 3, made.run_ids)
    assert record.errors == made.errors
    assert (mixed.progress().completed, mixed.progress().failed) == (2, 1)
    assert {run.batch_id for run in map(runs.retrieve, made.run_ids)} == {made.id}
    assert runs.retrieve(made.run_ids[1]).tags == ("quick",)


def test_a_batch_goes_through_its_statuses(fleet: Fleet) -> None:
    """As at Trigger.dev, it is PARTIAL_FAILED while runs are alive and some items became no run."""
    made = batch.trigger([(echo, 1), ("t-sleep", 1), (sleep, Nap())])
    assert made.errors[0].message.startswith("The payload does not fit task 't-sleep'")
    assert batch.retrieve(made.id).status is BatchStatus.PARTIAL_FAILED
    assert echo.batch_trigger([1]).retrieve().status is BatchStatus.PROCESSING
    assert echo.batch_trigger([]).retrieve().status is BatchStatus.COMPLETED
    assert batch.trigger([("t-sleep", 1)]).retrieve().status is BatchStatus.ABORTED
    with pytest.raises(ResultTimeoutError, match=made.run_ids[0]):
        made.results(0.2)
    for handle in made.runs():
        handle.cancel()
    assert made.retrieve().status is BatchStatus.COMPLETED
    assert made.progress().canceled == 2
    with pytest.raises(BatchNotFoundError):
        batch.retrieve("batch_00" + "0" * 31)


async def test_the_twins_take_async_iterators(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """They do the same without blocking the event loop."""
    start_fleet(valkey.url)

    async def items() -> AsyncIterator[int | BatchItem[int]]:
        for number in range(1_100):
            await asyncio.sleep(0)
            yield BatchItem(number, delay="1h") if number % 2 else number

    made = await flaky.abatch_trigger(items())
    record = await made.aretrieve()
    assert (len(made.run_ids), record.run_ids, record.progress.total) == (1_100, made.run_ids, 1_100)
    assert (await runs.aretrieve(made.run_ids[1001])).status is RunStatus.DELAYED
    mixed = await batch.atrigger([(echo, 1)], atomic=True)
    assert (await mixed.aprogress()).finished == 0
    assert [run.task_id for run in [await handle.aretrieve() for handle in mixed.runs()]] == ["t-echo"]


def test_an_atomic_batch_with_a_bad_item_makes_nothing(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """All items are checked before the first write; so are the number of items and the batch's own options."""
    start_fleet(valkey.url)
    with pytest.raises(BatchItemsError, match="2 of 602 items") as refused:
        echo.batch_trigger([*range(600), BatchItem(1, delay="x"), BatchItem(1, tags=["t"] * 3 + [""])], atomic=True)
    assert [error.index for error in refused.value.errors] == [600, 601]
    with pytest.raises(TriggerOptionError, match="10,000 items"):
        echo.batch_trigger(iter(range(10_001)))
    with pytest.raises(TriggerOptionError):
        echo.batch_trigger([1], idempotency_key="")
    assert not runs.list()


def test_a_repeated_batch_is_the_same_one(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The batch's idempotency key makes it so: an item without a key gets the batch's key with its index."""
    fleet = start_fleet(valkey.url, shards=3)
    items = [BatchItem("a"), BatchItem("b", idempotency_key="own"), BatchItem("c", idempotency_key="own")]
    first = echo.batch_trigger(items, idempotency_key="nightly")
    again = echo.batch_trigger(items, idempotency_key="nightly")
    other = batch.trigger([(sleep, Nap())], idempotency_key="nightly")
    assert (again.id, again.run_ids) == (first.id, first.run_ids)
    assert other.id != first.id
    assert first.run_ids[1] == first.run_ids[2] == echo.trigger("d", idempotency_key="own").id
    record = first.retrieve()
    assert (record.run_count, record.item_count, record.idempotency_key) == (2, 3, "nightly")
    assert runs.retrieve(first.run_ids[0]).idempotency_key == "nightly-0"
    fleet.start_node()
    assert [result.output for result in first.results(20)] == ["a", "b", "b"]


@pytest.mark.timeout(60)
def test_a_key_is_released_by_failure_and_kept_by_success_and_cancel(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """It is the same for single runs and for batches."""
    fleet = start_fleet(valkey.url)
    fleet.start_node()
    key = idempotency_keys.create("k", scope="global")

    def alone(task_number: int) -> str:
        return flaky.trigger(task_number, idempotency_key=key, max_attempts=1).id

    def batched(task_number: int) -> str:
        return flaky.batch_trigger([BatchItem(task_number, idempotency_key=key, max_attempts=1)]).run_ids[0]

    for trigger in (alone, batched):
        failed = trigger(9)
        wait_until(lambda run_id=failed: runs.retrieve(run_id).is_finished, "the failure")  # type: ignore[misc]  # default
        completed = trigger(1)
        assert completed != failed
        assert runs.handle(completed).result(20) == 1
        assert trigger(1) == completed
        valkey.client().execute_command("DEL", f"{{tf:{fleet.environment}:0}}:key:t-flaky:{key.digest}")
    canceled = heavy.batch_trigger([Nap()], idempotency_key="c").run_ids[0]
    assert runs.cancel(canceled)
    assert heavy.batch_trigger([Nap()], idempotency_key="c").run_ids == (canceled,)


def test_a_store_that_dies_in_the_middle_says_how_far_it_came(
    start_fleet: StartFleet, start_valkey: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch can be triggered again under its key, and no run is made twice."""
    server = start_valkey(appendfsync="always")
    fleet = start_fleet(server.url, connect_timeout=0.5)
    store = fleet.flow.store
    start_many, parts = store.start_many, itertools.count(1)

    def interrupted(writes: Sequence[tuple[Operation[Any], int]]) -> Callable[[], list[Any]]:
        if next(parts) == 6:
            server.kill()
        return start_many(writes)

    monkeypatch.setattr(store, "start_many", interrupted)
    with pytest.raises(BatchTriggerError, match="same idempotency key") as broken:
        echo.batch_trigger(range(2_000), idempotency_key="nightly")
    assert (broken.value.made, broken.value.total) == (1_000, 2_000)
    server.start()
    record = batch.retrieve(broken.value.batch_id)
    assert record.status is BatchStatus.PENDING
    key = f"{{tf:{fleet.environment}:0}}:batch:{record.id}"
    server.client().execute_command("HINCRBY", key, "written", -31 * 60_000)  # as if left alone for 31 minutes
    assert batch.retrieve(record.id).status is BatchStatus.ABORTED
    made = echo.batch_trigger(range(2_000), idempotency_key="nightly")
    assert made.id == broken.value.batch_id
    assert made.run_ids[: len(record.run_ids)] == record.run_ids
    assert made.retrieve().status is BatchStatus.PROCESSING
    assert made.progress().total == len(fleet.flow.engine.runs.find(RunFilter())) == 2_000


@pytest.mark.timeout(60)
def test_one_key_in_many_threads_and_processes_makes_one_run(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """64 threads in 4 processes trigger 1,000 times, one by one and in batches."""
    fleet = start_fleet(valkey.url)
    command = [sys.executable, "-m", "tests.integration.one_key", "16", "250"]
    started = [spawn(command, env=fleet.env(), cwd=ROOT, output=subprocess.PIPE) for _ in range(4)]
    printed = [process.communicate(timeout=50)[0].decode().split() for process in started]
    assert [process.returncode for process in started] == [0] * 4, printed
    assert len({run_id for ids in printed for run_id in ids}) == 1
    assert len(runs.list()) == 1
