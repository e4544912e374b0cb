"""A worker that is asked to stop: its runs finish, or go on elsewhere."""

import threading
import time

import pytest

from taskflow import AttemptOutcome, RunHandle, RunStatus
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.fleet import Fleet, Node
from tests.support.measured_time import measured_unit
from tests.support.servers import RedisServer, Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interpreter


def url(valkey: RedisServer, broker: Server) -> str | None:
    """Return the broker of a fleet, None for the store."""
    return None if broker is valkey else broker.url


def started(fleet: Fleet, run_id: str) -> int:
    """Return the number of a run's attempts that have started, from the ledger."""
    return sum(line[:2] == ["start", run_id] for line in fleet.ledger())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_a_stopped_node_interrupts_what_does_not_finish_and_another_goes_on(
    start_fleet: StartFleet, valkey: RedisServer, broker_server: Server, executor: str
) -> None:
    """The attempt can read the reason, cleans up, and does not count. The short run beside it finishes."""
    fleet = start_fleet(valkey.url, url(valkey, broker_server), shutdown_grace=3, cancel_grace=1)
    long, short = (tasks.long, tasks.sleep) if executor == "process" else (tasks.async_long, tasks.async_sleep)
    node = fleet.start_node(executor=executor)
    interrupted, finishing = long.trigger(tasks.Nap(seconds=60)), short.trigger(tasks.Nap(seconds=1.5))
    wait_until(lambda: started(fleet, interrupted.id) and started(fleet, finishing.id), "both to start")
    fleet.start_node(executor=executor)
    asked = time.monotonic()
    with measured_unit() as unit:
        assert node.stop() == 0
        took = time.monotonic() - asked
    assert interrupted.result(timeout=20) == 2
    first, second = interrupted.retrieve().attempts
    assert (first.outcome, second.outcome) == (AttemptOutcome.INTERRUPTED, AttemptOutcome.COMPLETED)
    assert ["cleanup", interrupted.id, "1", "interrupted"] in [line[:4] for line in fleet.ledger()]
    assert finishing.status() is RunStatus.COMPLETED
    assert len(finishing.retrieve().attempts) == 1
    assert 2 <= took < unit.times(160), took


class Load(threading.Thread):
    """Triggers short runs and now and then a longer one, of both executors, until ``end``."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.handles: list[RunHandle[str]] = []
        self._is_ending = threading.Event()

    def run(self) -> None:
        """Trigger some 100 runs a second."""
        while not self._is_ending.wait(0.02):
            seconds = 2.0 if len(self.handles) % 100 < 2 else 0.01
            self.handles += [task.trigger(tasks.Nap(seconds=seconds)) for task in (tasks.sleep, tasks.async_sleep)]

    def end(self) -> list[RunHandle[str]]:
        """Stop triggering, and return the handles of all runs."""
        self._is_ending.set()
        self.join()
        return self.handles


@pytest.mark.timeout(90)
def test_a_rolling_restart_of_every_worker_loses_nothing(
    start_fleet: StartFleet, valkey: RedisServer, broker_server: Server
) -> None:
    """Under load every run completes, and only interrupted runs start twice."""
    fleet = start_fleet(valkey.url, url(valkey, broker_server), shutdown_grace=1, cancel_grace=0.5)

    def start(executor: str) -> Node:
        return fleet.start_node(executor=executor, concurrency=4 if executor == "process" else 50)

    nodes = {executor: start(executor) for executor in ("process", "async")}
    long = tasks.sleep.trigger(tasks.Nap(seconds=8))
    wait_until(lambda: started(fleet, long.id), "a run to start that its node will not let finish")
    load = Load()
    load.start()
    for executor in ("process", "async", "process"):
        before, nodes[executor] = nodes[executor], start(executor)
        assert before.stop() == 0
    handles = [long, *load.end()]
    for handle in handles:
        handle.result(timeout=30)
    records = [handle.retrieve() for handle in handles]
    earlier = [attempt.outcome for record in records for attempt in record.attempts[:-1]]
    ledger = fleet.ledger()
    assert len(handles) > 200
    assert {record.status for record in records} == {RunStatus.COMPLETED}
    assert set(earlier) == {AttemptOutcome.INTERRUPTED}
    starts = sum(line[0] == "start" for line in ledger)
    assert len(handles) <= starts <= len(handles) + len(earlier)  # a run may be interrupted before its first line
    assert {line[1] for line in ledger if line[0] == "end"} == {handle.id for handle in handles}
