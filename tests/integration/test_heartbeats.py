"""Trigger.dev's heartbeat scenarios (``heartbeats.test.ts``) with frozen nodes. The store's part is in tests/store."""

from dataclasses import dataclass
from typing import Any

import pytest

from taskflow import AttemptOutcome, RunStatus, Task, runs
from tests.conftest import StartFleet
from tests.integration.test_stops import started, url
from tests.projects import durable_tasks
from tests.projects import fleet_tasks as tasks
from tests.support.fleet import Fleet, Node
from tests.support.processes import is_alive
from tests.support.servers import RabbitServer, RedisServer, Server
from tests.support.waiting import wait_until

QUICK = {"lease": 3, "heartbeat": 1, "reservation_timeout": 2}


@dataclass(frozen=True)
class Kind:
    """One kind of node, and tasks for it.

    Attributes:
        other: The kind whose runs ``attentive`` waits for.
    """

    executor: str
    sleep: Task[tasks.Nap, str]
    attentive: Task[float, str]
    other: str


KINDS = pytest.mark.parametrize(
    "kind",
    [
        Kind("process", tasks.sleep, durable_tasks.attentive, "async"),
        Kind("async", tasks.async_sleep, durable_tasks.async_attentive, "process"),
    ],
    ids=["process", "async"],
)


@pytest.fixture
def quick(start_fleet: StartFleet, valkey: RedisServer, broker_server: Server) -> Fleet:
    """An environment where a node is given up after 3 s of silence, and a run when it was lost twice."""
    return start_fleet(valkey.url, url(valkey, broker_server), max_lost=1, **QUICK)


def is_taken(fleet: Fleet, executor: str) -> bool:
    """Whether the broker has no waiting ticket."""
    with fleet.flow.celery.connection_for_read() as connection:
        channel: Any = connection.default_channel
        queue = f"{fleet.environment}.small-1x.{executor}"
        return bool(channel.queue_declare(queue, passive=True).message_count == 0)


def nodes_of(run_id: str) -> list[str]:
    """Return the names of the nodes that executed a run's attempts."""
    return [attempt.node.partition("@")[0] for attempt in runs.retrieve(run_id).attempts]


@pytest.mark.timeout(60)
@KINDS
def test_a_ticket_that_a_frozen_node_has_taken_is_offered_again(
    start_fleet: StartFleet, valkey: RedisServer, rabbitmq: RabbitServer, kind: Kind
) -> None:
    """It was taken but never started, so it runs elsewhere. From the store as broker a frozen node takes no ticket."""
    fleet = start_fleet(valkey.url, rabbitmq.url, **QUICK)
    frozen = fleet.start_node(executor=kind.executor)
    wait_until(lambda: " ready." in frozen.output(), "the node to consume")
    frozen.freeze()
    handle = kind.sleep.trigger(tasks.Nap())
    wait_until(lambda: is_taken(fleet, kind.executor), "the frozen node to be given the ticket")
    living = fleet.start_node(executor=kind.executor)
    assert handle.result(timeout=20) == handle.id
    assert nodes_of(handle.id) == [living.name]


@pytest.mark.timeout(60)
def test_runs_whose_nodes_are_heard_of_execute_on_beyond_the_lease(quick: Fleet) -> None:
    """They do so in children and as coroutines, although other nodes could take them."""
    nodes = [quick.start_node(executor=executor, wait=False) for executor in ("process", "async") for _ in range(2)]
    for node in nodes:
        quick.wait_for(node)
    handles = [task.trigger(tasks.Nap(seconds=6)) for task in (tasks.sleep, tasks.async_sleep)]
    assert [handle.result(timeout=20) for handle in handles] == [handle.id for handle in handles]
    assert [started(quick, handle.id) for handle in handles] == [1, 1]


@pytest.mark.timeout(60)
def test_a_node_that_is_killed_while_it_is_frozen_leaves_no_process(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """This includes its guard: when it wakes, it kills the processes that it guards, and ends."""
    node = start_fleet(valkey.url).start_node()
    family = node.family()
    node.freeze()
    node.kill()
    wait_until(lambda: not any(map(is_alive, family)), "its children to end")


@pytest.mark.timeout(60)
@KINDS
def test_a_run_whose_nodes_freeze_one_after_the_other_fails_at_last(quick: Fleet, kind: Kind) -> None:
    """It is queued again after the first lost attempt. After the second it fails as SYSTEM_FAILURE."""
    handle = kind.sleep.trigger(tasks.Nap(seconds=60))
    frozen: list[Node] = []
    for _ in range(2):
        frozen.append(quick.start_node(executor=kind.executor))
        wait_until(lambda: started(quick, handle.id) == len(frozen), "the run to start there", timeout=20)
        frozen[-1].freeze()
    quick.start_node(executor=kind.executor)
    wait_until(lambda: handle.status().is_finished, "the end", timeout=20)
    run = handle.retrieve()
    assert run.status is RunStatus.SYSTEM_FAILURE
    assert [attempt.outcome for attempt in run.attempts] == [AttemptOutcome.LOST, AttemptOutcome.LOST]
    assert nodes_of(handle.id) == [node.name for node in frozen]


@pytest.mark.timeout(60)
def test_a_cancel_that_a_frozen_node_never_confirms_frees_the_slot_with_its_lease(quick: Fleet) -> None:
    """The run is CANCELED at once. Its code may still execute, so the next run waits until the lease has ended."""
    frozen = quick.start_node(queue="t-one")
    canceled = tasks.one.trigger(tasks.Nap(seconds=60))
    wait_until(lambda: started(quick, canceled.id), "the run to start")
    following = tasks.one.trigger(tasks.Nap())
    frozen.freeze()
    canceled.cancel()
    assert canceled.status() is RunStatus.CANCELED
    assert following.status() is RunStatus.QUEUED
    living = quick.start_node(queue="t-one")
    assert following.result(timeout=20) == 1
    assert nodes_of(following.id) == [living.name]
    assert canceled.status() is RunStatus.CANCELED


@pytest.mark.interpreter
@pytest.mark.timeout(60)
@KINDS
def test_a_nodes_successor_on_its_host_starts_its_runs_at_once(
    start_fleet: StartFleet, valkey: RedisServer, kind: Kind
) -> None:
    """It finds that the process is gone. A living node, and one on another host, keeps its lease."""
    fleet = start_fleet(valkey.url, lease=90, heartbeat=30)
    living = fleet.start_node(executor=kind.other)
    first = fleet.start_node(executor=kind.executor)
    handle = kind.sleep.trigger(tasks.Nap(seconds=60))
    wait_until(lambda: started(fleet, handle.id), "the run to start")
    first.kill()
    fleet.start_node(executor=kind.executor)
    wait_until(lambda: started(fleet, handle.id) == 2, "the run to start again", timeout=5)
    assert [attempt.outcome for attempt in handle.retrieve().attempts] == [AttemptOutcome.LOST, None]
    assert any(node_id.startswith(f"{living.name}@") for node_id in fleet.flow.engine.nodes.list())


@pytest.mark.timeout(60)
@KINDS
def test_a_frozen_parent_whose_child_has_finished_goes_on_elsewhere(quick: Fleet, kind: Kind) -> None:
    """The parent is durable: neither its step nor its child is repeated."""
    quick.start_node(executor=kind.other)
    frozen = quick.start_node(executor=kind.executor)
    handle = kind.attentive.trigger(1.0)
    wait_until(lambda: any(line[0] == "start" for line in quick.ledger()), "the child to start")
    wait_until(lambda: handle.status() is RunStatus.WAITING, "the parent to wait")
    frozen.freeze()
    wait_until(lambda: any(line[0] == "end" for line in quick.ledger()), "the child to finish")
    living = quick.start_node(executor=kind.executor)
    child = handle.result(timeout=20)
    assert started(quick, child) == 1
    assert [line[0] for line in quick.ledger()].count("attentive") == 1
    assert nodes_of(handle.id)[-1] == living.name
