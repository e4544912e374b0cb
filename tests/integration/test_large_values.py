"""Payloads and outputs that are too large for the store, through every verb and with real workers."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from taskflow import (
    BatchItem,
    BatchTriggerError,
    Debounce,
    ObjectStoreError,
    Run,
    RunFailedError,
    RunFilter,
    batch,
    runs,
)
from taskflow.upkeep.objects import ObjectSweep
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.projects import waiting_tasks
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

LIMIT = 1000
LARGE = "ü" * LIMIT


@pytest.fixture
def small_fleet(start_fleet: StartFleet, valkey: RedisServer) -> Fleet:
    """An environment in which small values already count as large."""
    return start_fleet(valkey.url, inline_limit=LIMIT)


def redis(valkey: RedisServer, *command: str) -> object:
    """Execute a command on the server itself."""
    with contextlib.closing(valkey.client()) as client:
        answer: object = client.execute_command(*command)
    return answer


def key(fleet: Fleet, run_id: str) -> str:
    """Return the key of a run's record."""
    return f"{fleet.flow.store.config.base(0)}:run:{run_id}"


def field(fleet: Fleet, valkey: RedisServer, run_id: str, name: str) -> str:
    """Return a field of a run's record."""
    return str(redis(valkey, "HGET", key(fleet, run_id), name))


def objects(fleet: Fleet) -> list[Path]:
    """Return the files of the object store."""
    return [path for path in (fleet.folder / "objects").rglob("*") if path.is_file()]


def sweep(fleet: Fleet) -> None:
    """Delete old objects as if all objects were two days older."""
    swept = ObjectSweep(fleet.flow.store, fleet.flow.large_values, fleet.flow.lookup)
    swept.sweep(datetime.now(UTC) + timedelta(days=2))


@pytest.mark.timeout(60)
def test_large_values_go_through_every_door_and_back(small_fleet: Fleet, valkey: RedisServer) -> None:
    """The record holds addresses. Callers get values."""
    fleet = small_fleet
    fleet.start_node()
    fleet.start_node(executor="async")
    one = tasks.echo.trigger(LARGE)
    assert one.result(timeout=10) == LARGE
    assert field(fleet, valkey, one.id, "payload").startswith("@")
    assert field(fleet, valkey, one.id, "output").startswith("@")
    record = runs.retrieve(one.id)
    assert (record.payload, record.output) == (LARGE, LARGE)
    assert fleet.flow.celery.AsyncResult(one.id).get(timeout=10) == LARGE
    assert one.replay().result(timeout=10) == LARGE
    assert next(iter(one.subscribe())).payload == LARGE

    made = tasks.echo.batch_trigger([1, LARGE, BatchItem(LARGE + "2")])
    assert [result.output for result in made.results(timeout=10)] == [1, LARGE, LARGE + "2"]
    mixed = batch.trigger([(tasks.async_echo, LARGE), ("t-echo", LARGE)])
    assert [result.output for result in mixed.results(timeout=10)] == [LARGE, LARGE]

    adopted: Any = fleet.flow.celery.send_task("t-echo", args=[LARGE], queue=f"{fleet.environment}.small-1x.process")
    assert adopted.get(timeout=10) == LARGE
    assert field(fleet, valkey, adopted.id, "payload").startswith("@")

    async def coroutines() -> None:
        handle = await tasks.async_echo.atrigger(LARGE)
        assert await handle.aresult(timeout=10) == LARGE
        assert (await handle.aretrieve()).output == LARGE
        assert await (await handle.areplay()).aresult(timeout=10) == LARGE
        async for change in handle.asubscribe():
            assert change.payload == LARGE
        several = await tasks.async_echo.abatch_trigger([LARGE, 2])
        assert [result.output for result in await several.aresults(timeout=10)] == [LARGE, 2]

    asyncio.run(coroutines())
    assert oct((fleet.folder / "objects").stat().st_mode & 0o777) == "0o700"


@pytest.mark.timeout(60)
def test_a_waiting_parent_gets_a_large_output_of_its_child(small_fleet: Fleet) -> None:
    """The message that wakes the parent carries small outputs. The parent looks up a large one."""
    small_fleet.start_node()
    assert waiting_tasks.large_parent.trigger(LIMIT).result(timeout=20) == [LIMIT, LIMIT]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_a_payload_that_cannot_be_fetched_fails_the_attempt_which_is_tried_again(
    small_fleet: Fleet, valkey: RedisServer, executor: str
) -> None:
    """The object store may be away for a moment."""
    fleet = small_fleet
    kept, away = fleet.folder / "objects", fleet.folder / "away"
    task = tasks.echo if executor == "process" else tasks.async_echo
    handle, lost = task.trigger(LARGE, max_attempts=99), task.trigger(LARGE, max_attempts=1)
    kept.rename(away)
    fleet.start_node(executor=executor)
    with pytest.raises(RunFailedError, match=r"object store .* did not return") as failed:
        lost.result(timeout=10)
    assert failed.value.type == "ObjectStoreError"
    wait_until(lambda: field(fleet, valkey, handle.id, "failed") not in ("None", "0"), "an attempt to fail")
    away.rename(kept)
    assert handle.result(timeout=10) == LARGE
    assert len(handle.retrieve().attempts) >= 2


def test_nothing_is_written_when_the_object_store_does_not_take_a_payload(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """A run without its payload would fail later, and elsewhere."""
    blocked = start_fleet(valkey.url, inline_limit=LIMIT, object_store="/dev/null/objects")
    with pytest.raises(ObjectStoreError, match="TASKFLOW_OBJECT_STORE"):
        tasks.echo.trigger(LARGE)
    with pytest.raises(ObjectStoreError, match="TASKFLOW_OBJECT_STORE"):
        asyncio.run(tasks.echo.atrigger(LARGE))
    with pytest.raises(BatchTriggerError, match="object store"):
        tasks.echo.batch_trigger([1, LARGE])
    assert list(runs.list()) == []
    assert tasks.echo.trigger(1).status()  # small ones need no object store
    assert blocked.flow.large_values.scheme.startswith("the folder")


def test_a_key_that_has_a_run_leaves_no_object_behind(small_fleet: Fleet) -> None:
    """The second trigger makes no run, so its payload is not needed."""
    first, second = (tasks.echo.trigger(LARGE, idempotency_key="k") for _ in range(2))
    assert first.id == second.id
    assert len(objects(small_fleet)) == 1


def test_a_debounced_payload_that_may_become_another_runs_stays_in_the_record(
    small_fleet: Fleet, valkey: RedisServer
) -> None:
    """An object's path names its run, and the run that is put off has another id."""
    put_off = [tasks.echo.trigger(LARGE + n, debounce=Debounce("k", "1h", mode="trailing")) for n in "12"]
    assert runs.retrieve(put_off[0].id).payload == LARGE + "2"
    assert not objects(small_fleet)


def test_a_crafted_address_reads_no_file(small_fleet: Fleet, valkey: RedisServer) -> None:
    """A process that can write to the store must not be able to read files of the workers."""
    handle = tasks.echo.trigger(LARGE)
    redis(valkey, "HSET", key(small_fleet, handle.id), "payload", "@../../../../../../etc/passwd")
    with pytest.raises(ObjectStoreError, match="not followed"):
        handle.retrieve()


@pytest.mark.timeout(60)
def test_objects_go_when_their_run_is_gone_and_what_no_record_names_goes_too(
    small_fleet: Fleet, valkey: RedisServer
) -> None:
    """The folder must not grow for ever, and must never lose a value that a run needs."""
    fleet = small_fleet
    fleet.start_node()
    done, waiting, gone = tasks.echo.trigger(LARGE), tasks.echo.trigger(LARGE, delay="9d"), tasks.echo.trigger(LARGE)
    for handle in (done, gone):
        assert handle.result(timeout=10) == LARGE
    stale = [fleet.flow.large_values.planned(handle.id, "output", LARGE.encode()) for handle in (done, waiting)]
    for large in stale:
        assert large
        fleet.flow.large_values.write(large)
    sweep(fleet)
    assert len(objects(fleet)) == 2 + 2 + 2  # all objects of the live run are kept
    redis(valkey, "DEL", key(fleet, gone.id))
    ObjectSweep(fleet.flow.store, fleet.flow.large_values, fleet.flow.lookup).sweep(datetime.now(UTC))
    assert len(objects(fleet)) == 6  # the sweep skips young objects
    sweep(fleet)
    assert len(objects(fleet)) == 4
    retrieved: list[Run] = [handle.retrieve() for handle in (done, waiting)]
    assert [run.payload for run in retrieved] == [LARGE, LARGE]


@pytest.mark.timeout(60)
def test_results_come_from_the_history_once_the_run_has_left_the_store(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """Handles, batches and AsyncResult look in the history too, and find large values there."""
    fleet = start_fleet(valkey.url, database_url=None, inline_limit=LIMIT)
    fleet.start_node()
    made = tasks.echo.batch_trigger([{"a": 1.5}, LARGE])
    small, large = (runs.handle(run_id or "") for run_id in made.run_ids)
    assert [result.output for result in made.results(timeout=10)] == [{"a": 1.5}, LARGE]
    failed = tasks.flaky.trigger(9, max_attempts=1)
    with pytest.raises(RunFailedError):
        failed.result(timeout=10)
    ids = [small.id, large.id, failed.id]
    wait_until(lambda: fleet.flow.lookup.is_ready() and len(finished(fleet)) == 3, "the ends to be in the history")
    redis(valkey, "DEL", *(key(fleet, run_id) for run_id in ids))
    assert [small.result(timeout=5), large.result(timeout=5)] == [{"a": 1.5}, LARGE]
    assert large.retrieve().payload == LARGE
    with pytest.raises(RunFailedError, match="attempt 1"):
        failed.result(timeout=5)
    assert failed.status() == "FAILED"
    assert [result.output for result in made.results(timeout=5)] == [{"a": 1.5}, LARGE]
    assert fleet.flow.celery.AsyncResult(large.id).get(timeout=5) == LARGE
    assert fleet.flow.celery.AsyncResult(failed.id).state == "FAILURE"
    assert asyncio.run(small.aresult(timeout=5)) == {"a": 1.5}


def finished(fleet: Fleet) -> list[Run]:
    """Return the runs that have ended, from the history."""
    return [run for run in fleet.flow.lookup.all(RunFilter()) if run.is_finished]
