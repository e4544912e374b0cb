"""A script that fails on the server is a defect: told as one, not tried again, and no hindrance to others."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from taskflow import StoreFullError, StoreScriptError, StoreUnavailableError
from taskflow.engine.schedules.upkeep import ScheduleUpkeep
from taskflow.models import RunStatus
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.events import EventGroup, count_set_aside
from taskflow.store.operations.making import NewRun
from taskflow.store.operations.operation import Operation
from taskflow.store.pipeline import Pipeline
from taskflow.store.sync_store import Store
from taskflow.store.wire import new_run_id
from taskflow.upkeep.passes import Upkeep
from tests.support.bench import CLASS, ERROR, HEARTBEAT, LEASE, Bench, real_time
from tests.support.measured_time import measured_unit


def a_run() -> NewRun:
    """Return a run that can be written."""
    return NewRun(new_run_id(0), "t", b"1", None, "task/t", CLASS, 3)


def break_key(bench: Bench, name: str) -> None:
    """Let a key hold what no script of ours puts there."""
    bench.redis("DEL", bench.key(name))
    bench.redis("SET", bench.key(name), "x")


def test_a_failing_script_is_told_at_once_as_what_it_is(bench: Bench) -> None:
    """ "The store does not answer" would have its caller try again, for ever."""
    break_key(bench, "live")
    began = time.monotonic()
    with measured_unit() as unit:
        with pytest.raises(StoreScriptError, match="WRONGTYPE") as failed:
            bench.trigger(id="run_x")
        took = time.monotonic() - began
    assert took < unit.times(20)
    assert (failed.value.script, failed.value.run_id) == ("trigger_run", "run_x")
    assert not isinstance(failed.value, ConnectionError)
    bench.redis("DEL", bench.key("live"))
    assert bench.status(bench.trigger()) is RunStatus.QUEUED  # the connection is as good as before


def test_one_that_fails_among_many_fails_alone(one_bench: Bench) -> None:
    """The other operations of the same write are executed and read as usual."""
    break_key(one_bench, "timers")

    def writes() -> list[tuple[Operation[tuple[str, bool]], int]]:
        news = [a_run(), replace(a_run(), ttl=timedelta(hours=1)), a_run()]
        return [(operations.making.trigger_run(new), 0) for new in news]

    store = one_bench.store
    assert isinstance(store, Store)

    async def coroutines() -> list[Any]:
        asynchronous = AsyncStore(one_bench.config, one_bench)
        try:
            found = await asynchronous.run_many(writes())
            pipeline = Pipeline(asynchronous)
            futures = [pipeline.submit(operation, shard) for operation, shard in writes()]
            return [*found, *await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 5)]
        finally:
            await asynchronous.close()

    results = [*store.run_many(writes()), *asyncio.run(coroutines())]
    assert [isinstance(result, StoreScriptError) for result in results] == [False, True, False] * 3
    assert results[0][1]


def test_a_server_that_cannot_write_now_is_away_not_broken(one_bench: Bench) -> None:
    """Memory may be freed, a replica promoted: trying again helps."""
    store = Store(replace(one_bench.config, timeout=timedelta(seconds=0.2)), one_bench)
    one_bench.redis("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailableError) as failed:
            store.run(operations.making.trigger_run(a_run()))
        with pytest.raises(StoreUnavailableError):
            store.run_many([(operations.making.trigger_run(a_run()), 0)])
    finally:
        one_bench.redis("CONFIG", "SET", "maxmemory", "0")
        store.close()
    assert str(failed.value).count("is full") == 1


def test_upkeep_does_the_rest_when_one_of_its_scripts_fails(one_bench: Bench) -> None:
    """One broken key must not keep dead nodes from being found."""
    one_bench.node()
    run_id = one_bench.trigger()
    one_bench.claim(run_id)
    one_bench.run(operations.nodes.reap_nodes(LEASE, HEARTBEAT, ERROR))
    one_bench.pass_time(5)
    one_bench.run(operations.nodes.reap_nodes(LEASE, HEARTBEAT, ERROR))  # reaps without a pause, as nodes do
    one_bench.pass_time(5)
    break_key(one_bench, "timers")
    store = one_bench.store
    assert isinstance(store, Store)
    upkeep = Upkeep(store, 0, LEASE, HEARTBEAT, None, lambda _: None)
    with pytest.raises(StoreScriptError, match="fire_timers"):
        upkeep.perform(frozenset({"timers", "nodes"}))
    assert one_bench.run(operations.runs.read_run(run_id)).status is RunStatus.QUEUED


def test_a_pass_that_fails_stops_no_other(one_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in firing schedules must not keep runs from starting."""

    def broken(_: ScheduleUpkeep, shard: int) -> None:
        raise ValueError(f"shard {shard}")

    monkeypatch.setattr(ScheduleUpkeep, "fire", broken)
    run_id = one_bench.trigger(due=timedelta(seconds=1))
    one_bench.pass_time(2)
    store: Any = one_bench.store
    schedules = ScheduleUpkeep(store, store, store)
    with pytest.raises(ValueError, match="shard 0"):
        Upkeep(store, 0, LEASE, HEARTBEAT, None, lambda _: None, schedules).perform(frozenset({"schedules", "runs"}))
    assert one_bench.status(run_id) is RunStatus.QUEUED


def test_a_full_server_evaluates_scripts_that_it_does_not_have(bench: Bench) -> None:
    """It takes no new function, and an outcome whose script it has not seen must be written none the less."""
    bench.node()
    run_id = bench.trigger()
    claimed = bench.claim(run_id)
    with bench.server.full():
        bench.redis("FUNCTION", "FLUSH")
        assert bench.finish(claimed) is RunStatus.COMPLETED
        with pytest.raises(StoreFullError, match="was not made"):
            bench.trigger()
    assert bench.status(run_id) is RunStatus.COMPLETED


def test_a_full_server_gives_nobody_a_turn(one_bench: Bench) -> None:
    """An error is no turn: every node would take it."""
    store = Store(real_time(one_bench))
    try:
        with one_bench.server.full(), pytest.raises(StoreFullError):
            store.take_turn("objects", "n1", timedelta(seconds=5))
        assert store.take_turn("objects", "n1", timedelta(seconds=5))
        assert not store.take_turn("objects", "n2", timedelta(seconds=5))
    finally:
        store.close()


def test_many_operations_in_one_write_reach_a_full_server(one_bench: Bench) -> None:
    """Each unknown function is evaluated, in its place among the others."""
    bench = one_bench
    run_ids = [bench.trigger() for _ in range(3)]
    store = Store(real_time(bench))
    try:
        with bench.server.full():
            bench.redis("FUNCTION", "FLUSH")
            reads = [operations.runs.read_run(run_id) for run_id in run_ids]
            results = store.run_many([(reads[0], 0), (operations.nodes.list_nodes(), 0), (reads[2], 0)])
    finally:
        store.close()
    assert [results[0].id, results[2].id] == [run_ids[0], run_ids[2]]


def test_the_history_is_fed_from_a_full_server(one_bench: Bench) -> None:
    """Finished runs leave the store after the history has them, which is what frees its memory."""
    store = Store(replace(real_time(one_bench), timeout=timedelta(seconds=1)))
    group = EventGroup(store, 0)
    run_id = one_bench.trigger()
    try:
        with one_bench.server.full():
            assert [group.create(), group.create()] == [True, False]
            assert group.take_lead("one", timedelta(seconds=30))
            assert not group.take_lead("other", timedelta(seconds=30))
            assert group.take_lead("one", timedelta(seconds=30))
            _, events = group.read("one", 10)
            group.acknowledge(events)
            assert [count_set_aside(store, 0), count_set_aside(store, 0)] == [1, 2]
    finally:
        store.close()
    assert run_id in {event.run_id for event in events}
