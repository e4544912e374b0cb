"""A cancel may arrive before the reply to the claim of the same run."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from taskflow import RunStatus, task, wait
from taskflow.definition.machine import PRESETS
from taskflow.definition.registry import declared
from taskflow.execution.reporting.lines import LineLimits
from taskflow.execution.reporting.reports import Reports
from taskflow.execution.reporting.spool import Spool
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.runs import cancel_run
from taskflow.worker.coroutines.runs import AsyncRuns
from taskflow.worker.coroutines.taken_ticket import TakenTicket
from tests.support.bench import CLASS, ERROR, Bench, make_bench
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


@pytest.fixture
def bench(valkey: RedisServer) -> Iterator[Bench]:
    """A store without nodes."""
    yield from make_bench(valkey)


@pytest.fixture
def second_shard(valkey: RedisServer) -> Iterator[Bench]:
    """The second of two shards, with a node on both."""
    for bench in make_bench(valkey, shards=2):
        for bench.shard in (0, 1):
            bench.node()
        yield bench


def nothing(*_: object, **__: object) -> None:
    """Accept any call of Celery or the store, and do nothing."""


def started(store: AsyncStore, folder: Path) -> AsyncRuns:
    """Start the loop of a node without Celery."""
    writer: Any = SimpleNamespace(update_metadata=nothing, add_tags=nothing, append_logs=nothing)
    runtime: Any = SimpleNamespace(
        node=SimpleNamespace(id="n1", version=""),
        settings=SimpleNamespace(
            shards=store.config.shards, cancel_grace=timedelta(seconds=5), environment="e", output_limit=1000
        ),
        make_async_store=lambda: store,
        reports=Reports(writer, Spool(folder), LineLimits(10, 1000)),
        presets=PRESETS,
        large_values=None,
        surroundings={},
    )
    watcher: Any = SimpleNamespace(
        on_start=nothing, on_end=nothing, on_drop=nothing, on_broken=nothing, on_leave=nothing
    )
    runs = AsyncRuns(runtime, watcher, nothing)
    runs.start()
    return runs


def test_a_cancel_that_overtakes_the_claims_reply_stops_the_coroutine(bench: Bench, tmp_path: Path) -> None:
    """The slot is free for the next run only when the code of the first cannot go on."""
    written: list[str] = []
    with declared.isolated():

        @task(id="overtaken")
        async def overtaken(payload: dict[str, int]) -> None:
            written.append("start")
            await asyncio.sleep(30)
            written.append("end")

    bench.node()
    canceled = bench.trigger("a", limit=1, class_name=CLASS)
    following = bench.trigger("a", limit=1, class_name=CLASS)
    stopped: list[bool] = []

    class Overtaken(AsyncStore):
        async def run_many(self, operations: Sequence[tuple[Operation[Any], int]]) -> list[Any]:
            replies = await super().run_many(operations)
            if not stopped and operations[0][0].script == "claim_run":
                bench.run(cancel_run(canceled, ERROR))
                stopped.append(
                    runs.cancel(canceled, bench.claim_number(canceled), "canceled")
                )  # as the pulse does for a cancel in the inbox
            return replies

    runs = started(Overtaken(bench.config, bench), tmp_path)
    try:
        runs.take(TakenTicket(overtaken.definition, canceled, 1))
        wait_until(lambda: runs.busy == 0, "the coroutine to stop")
    finally:
        runs.stop()
    assert stopped == [True]
    assert "end" not in written
    assert bench.status(canceled) is RunStatus.CANCELED
    assert bench.slots("a") == {following}


def test_a_cancel_that_overtakes_a_resume_stops_the_coroutine(bench: Bench, tmp_path: Path) -> None:
    """The cancel names the claim of the resume, which the waiting code does not have yet."""
    with declared.isolated():

        @task(id="waits")
        async def waits(payload: dict[str, int]) -> None:
            await wait.afor_(3600)

    bench.node()
    run_id = bench.trigger("a", limit=1, class_name=CLASS)
    runs = started(AsyncStore(bench.config, bench), tmp_path)
    try:
        runs.take(TakenTicket(waits.definition, run_id, 1))
        wait_until(lambda: bench.status(run_id) is RunStatus.WAITING, "the run to wait")
        bench.pass_time(3601)
        bench.run(operations.nodes.fire_timers())
        assert bench.status(run_id) is RunStatus.EXECUTING
        bench.run(cancel_run(run_id, ERROR))
        assert runs.cancel(run_id, bench.claim_number(run_id), "canceled")
        wait_until(lambda: runs.busy == 0 and not bench.slots("a"), "the coroutine to stop")
    finally:
        runs.stop()
    assert bench.redis("HLEN", bench.key("node:n1:runs")) == 0


def test_what_a_node_hears_between_the_end_of_its_loop_and_of_its_lease_is_no_error(
    bench: Bench, tmp_path: Path
) -> None:
    """Its pulse beats until the lease is given back, and until then a wait may end or the lease be lost."""
    runs = started(AsyncStore(bench.config, bench), tmp_path)
    runs.stop()
    assert runs.loop.is_closed()
    runs.notify("run_waited_here")
    runs.cancel_all()
    assert runs.wait_idle(0)


def test_a_ticket_that_comes_twice_does_not_lead_an_adopted_run_astray(second_shard: Bench, tmp_path: Path) -> None:
    """The run's id names no shard. The shard of the adopted run stays, whatever happens to the other ticket."""
    going, go = threading.Event(), threading.Event()
    with declared.isolated():

        @task(id="adopted")
        async def adopted(payload: dict[str, int]) -> None:
            going.set()
            while not go.is_set():
                await asyncio.sleep(0.005)

    bench = second_shard
    run_id = bench.trigger("a", id="of-celery", limit=1, class_name=CLASS)
    runs = started(AsyncStore(bench.config, bench), tmp_path)
    try:
        runs.take(TakenTicket(adopted.definition, run_id, 1))
        wait_until(going.is_set, "the run to execute")
        runs.take(TakenTicket(adopted.definition, run_id, 1))
        wait_until(lambda: runs.busy == 1, "the other ticket to be dropped")
        go.set()
        wait_until(lambda: runs.busy == 0, "the run to end")
    finally:
        runs.stop()
    assert bench.status(run_id) is RunStatus.COMPLETED
    assert not bench.slots("a")
