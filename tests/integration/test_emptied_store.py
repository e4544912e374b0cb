"""A store that comes back empty: after FLUSHALL, a restart without persistence, a failover to an empty replica."""

import contextlib

import pytest

from taskflow import TaskFlow
from taskflow.store.operations.registration import Registrations, read_workers
from tests.conftest import StartFleet
from tests.integration.test_stops import url
from tests.projects import fleet_tasks as tasks
from tests.support.connections import close_connections
from tests.support.fleet import TASKS, Fleet
from tests.support.servers import RedisServer, Server
from tests.support.waiting import wait_until

SHARDS = 2


def empty(server: RedisServer) -> None:
    """Drop everything that the server holds, its functions as well."""
    with contextlib.closing(server.client()) as client:
        client.flushall()
        client.script_flush()
        client.execute_command("FUNCTION", "FLUSH")


def registrations(fleet: Fleet) -> list[Registrations]:
    """Return what each shard has registered."""
    return [fleet.flow.store.run(read_workers(), shard=shard) for shard in range(SHARDS)]


def new_client(fleet: Fleet) -> TaskFlow:
    """Return the app of a client that has triggered nothing yet."""
    return TaskFlow(fleet.flow.settings, tasks=TASKS.split(","))


@pytest.mark.timeout(60)
def test_nodes_come_back_to_an_emptied_store_with_all_that_they_declare(
    start_fleet: StartFleet, valkey: RedisServer, broker_server: Server
) -> None:
    """Tasks, queues, templates and versions, on every shard, under one id. A new client's runs execute at once."""
    broker = url(valkey, broker_server)
    fleet = start_fleet(valkey.url, broker, is_new=True, shards=SHARDS, heartbeat=1, lease=3)
    for executor in ("process", "async"):
        fleet.start_node(executor=executor, wait=False, TASKFLOW_VERSION="7")
    wait_until(lambda: len(fleet.flow.engine.nodes.list()) == 2, "both nodes", timeout=30)
    before = registrations(fleet)
    old = set(fleet.flow.engine.nodes.list())
    assert tasks.sleep.trigger(tasks.Nap()).result(timeout=20)
    empty(valkey)
    wait_until(lambda: len(set(fleet.flow.engine.nodes.list()) - old) == 2, "both nodes to come back")
    after = registrations(fleet)
    assert [found.tasks for found in after] == [found.tasks for found in before]
    assert {worker.version for found in after for worker in found.workers} == {"7"}
    assert len({worker.id for found in after for worker in found.workers}) == 2
    for flow in (new_client(fleet), fleet.flow):
        with flow:
            handles = [tasks.sleep.trigger(tasks.Nap()), tasks.async_sleep.trigger(tasks.Nap())]
            assert [handle.result(timeout=20) for handle in handles] == [handle.id for handle in handles]
            if flow is not fleet.flow:
                close_connections(flow.celery)
                flow.close()
