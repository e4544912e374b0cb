"""RabbitMQ takes no messages, or loses a queue or its content: the runs are in the store, so they start later."""

import time
from collections.abc import Sequence
from urllib.parse import quote

import pytest

from taskflow import RunHandle
from tests.conftest import StartFleet
from tests.projects import fleet_tasks
from tests.projects.fleet_tasks import Nap
from tests.support.fleet import Fleet
from tests.support.servers import RabbitServer, RedisServer
from tests.support.waiting import wait_until

RESERVATION_SECONDS = 3


@pytest.fixture
def fleet(start_fleet: StartFleet, valkey: RedisServer, rabbitmq: RabbitServer) -> Fleet:
    """A fleet with a node of each executor, whose tickets are published again after seconds."""
    made = start_fleet(valkey.url, rabbitmq.url, lease=3, heartbeat=1, reservation_timeout=RESERVATION_SECONDS)
    nodes = [made.start_node(), made.start_node(executor="async")]
    wait_until(lambda: all(" ready." in node.output() for node in nodes), "the nodes to consume")
    return made


def all_end(handles: Sequence[RunHandle[object] | RunHandle[str]], within: float) -> None:
    """Wait until all runs have completed, in one attempt each."""
    wait_until(lambda: all(one.retrieve().is_finished for one in handles), "all to end", timeout=within, interval=0.2)
    assert {(one.retrieve().status.name, len(one.retrieve().attempts)) for one in handles} == {("COMPLETED", 1)}


def queues_of(rabbitmq: RabbitServer, fleet: Fleet) -> list[str]:
    """Return the paths of the queues of a fleet's runs in the management API."""
    listed = rabbitmq.api("GET", f"queues/{rabbitmq.vhost}")
    assert isinstance(listed, list)
    names: list[str] = [queue["name"] for queue in listed]  # pyright: ignore[reportUnknownVariableType] - JSON
    ours = [name for name in names if name.startswith(f"{fleet.environment}.")]
    assert ours
    return [f"queues/{rabbitmq.vhost}/{quote(name, safe='')}" for name in ours]


def more_runs() -> Sequence[RunHandle[object]]:
    """Trigger runs of both executors."""
    return [task.trigger("x") for task in (fleet_tasks.echo, fleet_tasks.async_echo) for _ in range(3)]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("server", ["rabbitmq"])
def test_a_trigger_does_not_wait_for_the_end_of_an_alarm(fleet: Fleet, rabbitmq: RabbitServer, server: str) -> None:
    """RabbitMQ reads nothing from a blocked connection, so each wait for it lasts until its timeout."""
    handles = [*more_runs()]
    all_end(handles, 20)
    with rabbitmq.alarm():
        began = time.monotonic()
        handles += more_runs()
        handles += fleet_tasks.echo.batch_trigger(["x"] * 5).runs()
        took = time.monotonic() - began
        said = wait_until(lambda: handles[-1].retrieve().reason, "a reason why it does not start")
    assert took < 5, f"7 triggers took {took:.1f} s"
    assert said
    all_end(handles, 40)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("server", ["rabbitmq"])
@pytest.mark.parametrize("path", ["", "/contents"])
def test_runs_start_although_their_queues_were_deleted_or_purged(
    fleet: Fleet, rabbitmq: RabbitServer, server: str, path: str
) -> None:
    """The consumers declare and consume their queues again, and upkeep publishes the tickets that were in them."""
    sleeps = (fleet_tasks.sleep, fleet_tasks.async_sleep)
    handles = [task.trigger(Nap(seconds=0.5)) for task in sleeps for _ in range(6)]
    wait_until(lambda: len(fleet.ledger()) > 4, "some to execute")
    for queue in queues_of(rabbitmq, fleet):
        rabbitmq.api("DELETE", f"{queue}{path}")
    all_end([*handles, *more_runs()], RESERVATION_SECONDS + 20)
