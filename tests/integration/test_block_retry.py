"""Block retries inside of runs on real nodes."""

import time

import pytest

from taskflow import RunHandle, RunStatus
from tests.conftest import StartFleet
from tests.projects import reporting_tasks as tasks
from tests.support.fleet import TASKS
from tests.support.measured_time import measured_unit
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


@pytest.mark.timeout(60)
def test_a_canceled_run_leaves_the_delay_of_its_block_at_once(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A minute's backoff must not hold a slot of a canceled run."""
    fleet = start_fleet(valkey.url)
    for executor in ("process", "async"):
        fleet.start_node(executor=executor, concurrency=1, TASKFLOW_TASKS=f"{TASKS},tests.projects.reporting_tasks")
    handles: list[RunHandle[None]] = [tasks.again.trigger(None), tasks.aagain.trigger(None)]

    def have(word: str) -> bool:
        return {line[1] for line in fleet.ledger() if line[0] == word} == {handle.id for handle in handles}

    wait_until(lambda: have("tries"), "both blocks to fail once")
    began = time.monotonic()
    with measured_unit() as unit:
        for handle in handles:
            handle.cancel()
        wait_until(lambda: have("left"), "both delays to end", timeout=30)
        took = time.monotonic() - began
    assert took < unit.times(100)
    assert [handle.status() for handle in handles] == [RunStatus.CANCELED] * 2
    assert len([line for line in fleet.ledger() if line[0] == "tries"]) == 2
