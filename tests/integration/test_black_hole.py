"""A network that loses the packets of one direction: connections stay open, and what is sent there never arrives."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from taskflow import RunStatus, StoreUnavailableError, runs
from taskflow.store.followers import LOOK_AGAIN_SECONDS
from tests.conftest import MakeServer, StartFleet
from tests.faults.proxy import Proxy, through
from tests.projects import fleet_tasks
from tests.projects.fleet_tasks import Nap
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


@pytest.fixture
def server(start_valkey: MakeServer) -> RedisServer:
    """A store of this test."""
    return start_valkey()


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    """A network in front of the store."""
    network = Proxy(server.port)
    yield network
    network.close()


@pytest.mark.parametrize("hole", ["stalls_replies", "is_stalled"])
def test_verbs_end_in_time_and_waits_outlast_the_hole(
    server: RedisServer, proxy: Proxy, start_fleet: StartFleet, hole: str
) -> None:
    """A wait that has begun returns when the run has ended and the network is back; a trigger does not hang."""
    fleet = start_fleet(through(proxy, server.url), connect_timeout=1)
    fleet.start_node(executor="async", TASKFLOW_REDIS_URL=server.url)
    handle = fleet_tasks.async_sleep.trigger(Nap(seconds=4))
    wait_until(lambda: fleet.ledger(), "the run to execute")
    with ThreadPoolExecutor(2) as threads:
        result = threads.submit(handle.result, timeout=20)
        seen: list[RunStatus] = []
        subscribed = threads.submit(lambda: seen.extend(run.status for run in runs.subscribe(handle.id)))
        wait_until(lambda: {"taskflow-results"} <= {one.name for one in threading.enumerate()}, "the wait to begin")
        wait_until(lambda: seen, "the subscription to begin")
        try:
            setattr(proxy, hole, True)
            began = time.monotonic()
            with pytest.raises(StoreUnavailableError):
                handle.status()
            with pytest.raises(StoreUnavailableError):
                fleet_tasks.async_sleep.trigger(Nap())
            assert time.monotonic() - began < 4
            wait_until(lambda: len(fleet.ledger()) == 2, "the run to end")
            wait_until(lambda: time.monotonic() - began > LOOK_AGAIN_SECONDS + 2, "a look to fail")
            assert not result.done()
        finally:
            proxy.heal()
        assert result.result(15) == handle.id
        subscribed.result(15)
    assert seen[-1] is RunStatus.COMPLETED


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_a_node_that_hears_nothing_loses_its_runs_and_comes_back(
    server: RedisServer, proxy: Proxy, start_fleet: StartFleet, executor: str
) -> None:
    """The store gives its run to another node, and takes the result of that node only."""
    fleet = start_fleet(server.url, lease=3, heartbeat=1, connect_timeout=1)
    task = fleet_tasks.sleep if executor == "process" else fleet_tasks.async_sleep
    cut_off = fleet.start_node(executor=executor, TASKFLOW_REDIS_URL=through(proxy, server.url))
    handle = task.trigger(Nap(seconds=6))
    wait_until(lambda: fleet.ledger(), "the run to execute")
    other = fleet.start_node(executor=executor)
    proxy.stalls_replies = True
    began = time.monotonic()
    wait_until(lambda: len(handle.retrieve().attempts) == 2, "the run to start again", timeout=15)
    assert time.monotonic() - began < 8
    proxy.heal()
    wait_until(lambda: "node.back" in cut_off.output(), "the node to come back", timeout=15)
    assert handle.result(timeout=15) == handle.id
    run = handle.retrieve()
    assert [attempt.outcome and attempt.outcome.name for attempt in run.attempts] == ["LOST", "COMPLETED"]
    assert (run.attempts[1].node or "").startswith(other.name)
    more = [task.trigger(Nap(seconds=0.3)) for _ in range(8)]
    assert [one.result(timeout=20) for one in more] == [one.id for one in more]
