"""Process nodes whose children wait: the pool grows within its bound, never deadlocks, and shrinks again."""

import os
import signal
import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from typing import Any

import pytest

from taskflow import RunStatus
from taskflow.models import AttemptOutcome
from taskflow.store.operations.tickets import Ticket
from tests.conftest import StartFleet
from tests.projects import waiting_tasks as tasks
from tests.projects.fleet_tasks import echo
from tests.support.fleet import Fleet, Node
from tests.support.servers import RedisServer, Server
from tests.support.waiting import beside, wait_until


@pytest.fixture
def small_fleet(start_fleet: StartFleet, valkey: RedisServer, broker_server: Server) -> Fleet:
    """Nodes whose leases end soon."""
    broker_url = None if broker_server is valkey else broker_server.url
    return start_fleet(valkey.url, broker_url, waiting_limit=4, heartbeat=0.5, lease=2)


class Census:
    """Counts the pool's processes while the block executes."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.most = 0

    def taken(self) -> AbstractContextManager[None]:
        """Count the processes every 10 ms."""
        return beside(self._count, 0.01)

    def _count(self) -> None:
        self.most = max(self.most, len(children(self._node)))


def children(node: Node) -> list[int]:
    """Return the pids of the pool's processes: the node's children that lead a process group in its session."""
    return [pid for pid in node.family()[1:] if session(pid) == os.getsid(node.pid)]


def session(pid: int) -> int | None:
    """Return a process's session, None when it has just ended."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def stats(fleet: Fleet, node: Node) -> Mapping[str, int]:
    """Return what ``celery inspect stats`` shows of a node's pool."""
    name = f"{node.name}@{socket.gethostname()}"
    with fleet.flow.celery.connection_for_write() as connection:  # not a pooled connection, which may be lost
        asked = fleet.flow.celery.control.inspect(destination=[name], timeout=5, connection=connection)
        reply: Any = asked.stats()
    shown: Mapping[str, int] = reply[name]["taskflow"] if reply else {}
    return shown


@pytest.mark.timeout(90)
def test_many_parents_wait_within_the_bound(small_fleet: Fleet) -> None:
    """They need more processes than the bound allows: all complete, and then the pool is as small as before."""
    node = small_fleet.start_node(concurrency=2)
    census = Census(node)
    with census.taken():
        handles = [tasks.family.trigger(tasks.Family(children=3)) for _ in range(12)]
        assert [handle.result(timeout=60) for handle in handles] == [4] * 12
    assert 4 < census.most <= 6
    assert node.output().count("waiting.full") < 6
    assert "waiting.overgrown" not in node.output()
    shown = stats(small_fleet, node)
    assert (shown["concurrency"], shown["waiting"], shown["waiting-limit"]) == (2, 0, 4)
    assert shown["times-full"] >= 1
    wait_until(lambda: len(children(node)) == 2, "the pool to shrink", timeout=15)


@pytest.mark.timeout(90)
def test_nested_waits_at_the_bound_do_not_deadlock(
    start_fleet: StartFleet, valkey: RedisServer, broker_server: Server
) -> None:
    """There are four generations in a pool of at most two processes. It grows past its bound, and logs so."""
    fleet = start_fleet(valkey.url, None if broker_server is valkey else broker_server.url, waiting_limit=1)
    node = fleet.start_node(concurrency=1)
    assert tasks.family.trigger(tasks.Family(children=1, depth=3)).result(timeout=60) == 4
    assert "waiting.overgrown" in node.output()


@pytest.mark.timeout(90)
def test_a_waiting_child_that_is_killed_gives_its_place_back(small_fleet: Fleet) -> None:
    """Its run starts again, and waits for children of its own."""
    node = small_fleet.start_node(concurrency=1)
    handle = tasks.family.trigger(tasks.Family(children=1, seconds=2.5))
    wait_until(lambda: handle.status() is RunStatus.WAITING, "the parent to wait", timeout=20)
    wait_until(lambda: stats(small_fleet, node).get("waiting") == 1, "its node to know")
    parent = next(int(line[2]) for line in small_fleet.ledger() if line[1] == handle.id)
    os.kill(parent, signal.SIGKILL)
    assert handle.result(timeout=40) == 2
    assert AttemptOutcome.LOST in {attempt.outcome for attempt in handle.retrieve().attempts}
    wait_until(lambda: stats(small_fleet, node).get("waiting") == 0, "no child to wait")


@pytest.mark.timeout(90)
def test_the_waiting_runs_of_a_killed_node_start_again(small_fleet: Fleet) -> None:
    """They start on another node, with all the runs that they wait for."""
    first = small_fleet.start_node(concurrency=1)
    handles = [tasks.family.trigger(tasks.Family(children=1, seconds=0.5)) for _ in range(4)]
    wait_until(lambda: RunStatus.WAITING in {handle.status() for handle in handles}, "one to wait", timeout=20)
    first.kill()
    small_fleet.start_node(concurrency=1)
    assert [handle.result(timeout=40) for handle in handles] == [2] * 4


@pytest.mark.timeout(60)
def test_a_ticket_that_comes_again_while_its_run_waits_narrows_no_node(small_fleet: Fleet) -> None:
    """Celery's books have one entry for an id, so the second request of a run removes the first, which goes on."""
    node = small_fleet.start_node(concurrency=1)
    waiting = tasks.sleeper.trigger(60.0)
    wait_until(lambda: waiting.status() is RunStatus.WAITING, "the run to wait", timeout=20)
    queue = f"{small_fleet.environment}.small-1x.process"
    small_fleet.flow.publisher.publish([Ticket(waiting.id, "w-sleeper", 1, queue, "60.0")])
    wait_until(lambda: "ticket.dropped" in node.output(), "the second to be dropped", timeout=20)
    for number in range(3):
        assert echo.trigger(number).result(timeout=10) == number
    assert waiting.cancel()


@pytest.mark.timeout(60)
def test_children_are_heard_after_the_broker_was_away(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A reconnect empties Celery's loop. A ticket whose reply was under way is lost with it, and is published again."""
    fleet = start_fleet(valkey.url, waiting_limit=4, reservation_timeout=2)
    node = fleet.start_node(concurrency=1)
    handle = tasks.family.trigger(tasks.Family(children=2, seconds=1.0))
    wait_until(lambda: handle.status() is RunStatus.WAITING, "the parent to wait", timeout=20)
    with closing(valkey.client()) as client:
        for kind in ("normal", "pubsub"):  # a full node has no command under way, but it always listens
            client.execute_command("CLIENT", "KILL", "TYPE", kind)
    wait_until(lambda: "Connection to broker lost" in node.output(), "the node to notice")
    assert handle.result(timeout=30) == 3
    assert tasks.family.trigger(tasks.Family(children=2)).result(timeout=30) == 3


@pytest.mark.timeout(60)
def test_a_run_that_can_not_start_gives_its_slot_to_one_that_waits(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """The only slot of a queue is reserved for a run that the full node cannot start. The run that the node holds needs
    that slot to go on.
    """
    fleet = start_fleet(valkey.url, waiting_limit=1)
    node = fleet.start_node(concurrency=1)
    handles = [tasks.single_parent.trigger(2.0) for _ in range(2)]
    assert handles[0].result(timeout=30) < 8
    assert handles[1].result(timeout=30) < 8
    assert "node.closed" in node.output()
    assert "node.reopened" in node.output()
