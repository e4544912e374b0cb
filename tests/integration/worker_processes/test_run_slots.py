"""A coroutine has one slot in its node, whatever overlaps with its wait."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
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
from taskflow.seams.waits import Waiter
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.runs import cancel_run
from taskflow.store.operations.waits import complete_item, resume_run
from taskflow.verbs.task import Task
from taskflow.worker.coroutines.runs import AsyncRuns
from taskflow.worker.coroutines.taken_ticket import TakenTicket
from tests.support.bench import CLASS, ERROR, Bench, make_bench
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

Parked = Callable[[AsyncRuns], object]


@pytest.fixture
def bench(valkey: RedisServer) -> Iterator[Bench]:
    """A store without nodes."""
    yield from make_bench(valkey)


def nothing(*_: object, **__: object) -> None:
    """Accept any call of Celery or the store, and do nothing."""


@pytest.fixture
def may_leave() -> threading.Event:
    """The event that ends the clean-up of ``waits``."""
    return threading.Event()


@pytest.fixture
def waits(may_leave: threading.Event) -> Iterator[Task[dict[str, int], None]]:
    """A task that waits, and cleans up when it is stopped."""
    with declared.isolated():

        @task(id="waits")
        async def waits(payload: dict[str, int]) -> None:
            try:
                await wait.afor_(timedelta(hours=1))
            finally:
                while not may_leave.is_set():
                    await asyncio.sleep(0.005)

        yield waits


def make_runs(bench: Bench, folder: Path, on_parked: Parked) -> AsyncRuns:
    """Return the coroutines of a node.

    Args:
        on_parked: Called when the store lets a run wait, before the reply reaches the node.
    """

    class Store(AsyncStore):
        async def run_many(self, operations: Sequence[tuple[Operation[Any], int]]) -> list[Any]:
            replies = await super().run_many(operations)
            if "WAITING" in replies:
                on_parked(runs)
            return replies

    writer: Any = SimpleNamespace(update_metadata=nothing, add_tags=nothing, append_logs=nothing)
    runtime: Any = SimpleNamespace(
        node=SimpleNamespace(id="n1", version=""),
        settings=SimpleNamespace(shards=1, cancel_grace=timedelta(seconds=5), environment="e", output_limit=1000),
        make_async_store=lambda: Store(bench.config, bench),
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


def test_a_cancel_that_overtakes_the_reply_to_a_wait_gives_one_place_back(
    bench: Bench, tmp_path: Path, waits: Task[dict[str, int], None], may_leave: threading.Event
) -> None:
    """Otherwise the node would take more runs than it has slots."""
    may_leave.set()
    bench.node()
    run_id = bench.trigger("a", limit=1, class_name=CLASS)

    def cancel(runs: AsyncRuns) -> None:
        bench.run(cancel_run(run_id, ERROR))
        runs.cancel(run_id, bench.claim_number(run_id), "canceled")

    runs = make_runs(bench, tmp_path, cancel)
    try:
        runs.take(TakenTicket(waits.definition, run_id, 1))
        wait_until(lambda: bench.status(run_id) is RunStatus.CANCELED and not bench.slots("a"), "the run to be left")
        wait_until(lambda: runs.wait_idle(0) and not runs._running._runs, "the coroutine to stop")  # pyright: ignore[reportPrivateUsage]
        wait_until(lambda: runs.busy == 0, "no place to be taken, or given back twice")
    finally:
        runs.stop()


@pytest.mark.parametrize("is_told", [True, False])
def test_a_run_resumed_while_its_node_interrupts_it_starts_again_and_leaves_no_place_taken(
    bench: Bench, tmp_path: Path, waits: Task[dict[str, int], None], may_leave: threading.Event, is_told: bool
) -> None:
    """Its code may never get the claim of the resume. The run would then be EXECUTING for good. The node would wait for
    a coroutine that has ended, and exit as if that were stuck.
    """
    bench.node()
    run_id = bench.trigger("a", limit=1, class_name=CLASS)
    runs = make_runs(bench, tmp_path, nothing)
    try:
        runs.take(TakenTicket(waits.definition, run_id, 1))
        wait_until(lambda: bench.status(run_id) is RunStatus.WAITING and runs.busy == 0, "the run to wait")
        runs.cancel_all()
        wait_until(lambda: runs.busy == 1, "the coroutine to clean up")
        bench.run(resume_run(run_id, bench.claim_number(run_id)))
        if is_told:
            runs.notify(run_id)
        may_leave.set()
        wait_until(lambda: not runs._running._runs, "the coroutine to stop")  # pyright: ignore[reportPrivateUsage]
        wait_until(lambda: runs.busy == 0, "its place to be free")
        assert bench.status(run_id) is RunStatus.QUEUED
    finally:
        runs.stop()


def test_a_wait_in_a_final_hook_does_not_let_the_runs_time_go_on(bench: Bench, tmp_path: Path) -> None:
    """The hooks of an attempt with a known outcome are not stopped."""
    ended: list[str] = []
    with declared.isolated():

        async def told(payload: dict[str, int]) -> None:
            await wait.afor_(timedelta(hours=1))
            await asyncio.sleep(0.6)
            ended.append("told")

        @task(id="tells", on_success=told)
        async def tells(payload: dict[str, int]) -> None:
            return None

    bench.node()
    run_id = bench.trigger("a", limit=1, class_name=CLASS, max_duration=timedelta(seconds=0.3))
    runs = make_runs(bench, tmp_path, nothing)
    try:
        runs.take(TakenTicket(tells.definition, run_id, 1))
        wait_until(lambda: bench.status(run_id) is RunStatus.WAITING and runs.busy == 0, "the hook to wait")
        bench.run(complete_item(Waiter(run_id, f"{bench.claim_number(run_id)}.1"), b"null"))
        assert not bench.redis("ZSCORE", bench.key("timers"), f"stop:{run_id}")
        runs.notify(run_id)
        wait_until(lambda: bench.status(run_id).is_finished, "the run to end")
        wait_until(lambda: runs.busy == 0, "its place to be free")
    finally:
        runs.stop()
    assert ended == ["told"]
    assert bench.status(run_id) is RunStatus.COMPLETED
