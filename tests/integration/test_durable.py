"""Durable runs on real nodes of both kinds, with the store and with RabbitMQ as broker."""

import os
import random
from datetime import UTC, datetime, timedelta

import pytest

from taskflow import BatchItem, RunStatus, Task, wait
from tests.conftest import StartFleet
from tests.integration.durable_kills import Kills
from tests.projects import durable_tasks as tasks
from tests.support.fleet import Fleet
from tests.support.measured_time import measured_unit
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

SHOPS = pytest.mark.parametrize("shop", [tasks.shop, tasks.async_shop], ids=["process", "async"])
SMALL = 5 * 1024
KILLS = int(os.environ.get("DURABLE_KILLS", "3"))


def count(fleet: Fleet, *words: str) -> int:
    """Return the number of the ledger's lines that begin with these words."""
    return [line[: len(words)] for line in fleet.ledger()].count(list(words))


@pytest.mark.timeout(60)
@SHOPS
def test_a_run_waits_without_a_process_and_goes_on_at_another_node(
    fleet: Fleet, shop: Task[tasks.Order, list[str]]
) -> None:
    """All nodes have died meanwhile. Journaled steps are not repeated, and the attempt is the same."""
    executor = "async" if shop is tasks.async_shop else "process"
    first = fleet.start_node(executor=executor)
    handle = shop.trigger(tasks.Order(children=[2, 3]))
    wait_until(lambda: count(fleet, "finally", "o1"), "its code to be left", timeout=20)
    assert handle.status() is RunStatus.WAITING
    wait_until(lambda: handle.retrieve().metadata == {"left": 1}, "what it reported to be sent", timeout=5)
    first.kill()
    fleet.start_node(executor=executor)
    if executor == "async":
        fleet.start_node()
    assert handle.result(timeout=40)[:2] == ["Charge", "5 10"]
    assert count(fleet, "charge", "o1", "5") == 1
    assert count(fleet, "child") == 2
    assert len({line[2] for line in fleet.ledger() if line[0] == "key"}) <= 1
    assert [attempt.number for attempt in handle.retrieve().attempts] == [1]


@pytest.mark.timeout(60)
def test_retries_changes_and_cancels(fleet: Fleet) -> None:
    """These need no deaths, so that one fleet serves for all of them."""
    fleet.start_node(wait=False)
    fleet.start_node(executor="async", wait=False)
    for node in fleet.nodes:
        fleet.wait_for(node)
    canceled = tasks.waits_for_ever.trigger("x")
    stubborn = tasks.stubborn.trigger("x")
    token = tasks.approved.trigger("x")
    mixed = tasks.mixed.trigger(tasks.Order())
    retried = tasks.retrying.trigger(tasks.Order(id="r", children=[4]))
    changed = tasks.changed.trigger("x")
    patient = tasks.patient.trigger(tasks.Order(wait=1.5))

    assert retried.result(timeout=30) == [1, 8, "ok", 3, "Sum", "Sum", "FAILED", "float"]
    assert (count(fleet, "charge", "r"), count(fleet, "child")) == (1, 3)

    wait_until(lambda: changed.status().is_finished, "the changed code to be refused")
    run = changed.retrieve()
    assert run.status is RunStatus.FAILED
    assert len(run.attempts) == 2
    assert run.error is not None
    assert "the journal has step 'charge' at 1, the code asks for wait.for_" in run.error.message

    assert patient.result(timeout=30) == [1.5, 1.5]
    assert count(fleet, "slow-child", patient.id) == 2
    assert count(fleet, "on_wait", patient.id, "task", "1") == 2
    assert count(fleet, "on_resume", patient.id, "task", "1") == 2
    assert count(fleet, "on_start_attempt", patient.id) == 1

    wait_until(lambda: canceled.status() is RunStatus.WAITING, "the run to wait")
    assert canceled.cancel()
    wait_until(lambda: count(fleet, "on_cancel", canceled.id), "its hooks to run elsewhere")

    assert stubborn.result(timeout=30) == "done"
    assert count(fleet, "swallowed", stubborn.id) == 1

    made = [line[2] for line in fleet.ledger() if line[:2] == ["token", token.id]]
    assert token.status() is RunStatus.WAITING
    wait.complete_token(made[0], {"by": "me"})
    assert token.result(timeout=20) == {"by": "me"}
    made = [line[2] for line in fleet.ledger() if line[:2] == ["token", token.id]]
    assert len(made) == 2
    assert len(set(made)) == 1

    assert mixed.result(timeout=30) == [7, 0, 1, 2]
    assert count(fleet, "step", mixed.id) == 4
    assert [attempt.number for attempt in mixed.retrieve().attempts] == [1]


@pytest.mark.timeout(60)
def test_a_node_that_stops_lets_its_waiting_runs_leave(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """They wait on in the store, in the same attempt."""
    fleet = start_fleet(valkey.url)
    node = fleet.start_node(executor="async")
    handles = [tasks.held.trigger("x") for _ in range(3)]
    wait_until(lambda: {handle.status() for handle in handles} == {RunStatus.WAITING}, "all to wait", timeout=20)
    assert count(fleet, "left") == 0
    assert node.stop() == 0
    assert count(fleet, "left") == 3
    for handle in handles:
        assert handle.status() is RunStatus.WAITING
        assert [attempt.node for attempt in handle.retrieve().attempts] == [""]


@pytest.mark.timeout(60)
def test_code_that_does_not_leave_in_time_is_stopped(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Its run goes on without this code, in the same attempt."""
    fleet = start_fleet(valkey.url, cancel_grace=1)
    fleet.start_node(wait=False)
    fleet.start_node(executor="async", wait=False)
    handles = [tasks.clinging.trigger(6), tasks.async_clinging.trigger(6)]
    assert [handle.result(timeout=40) for handle in handles] == ["done", "done"]
    for handle in handles:
        assert count(fleet, "clings", handle.id) == 1
        assert [attempt.number for attempt in handle.retrieve().attempts] == [1]


@pytest.mark.timeout(90 + 20 * KILLS)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_steps_that_are_journaled_survive_kills(start_fleet: StartFleet, valkey: RedisServer, executor: str) -> None:
    """A worker is killed at seeded instants: DURABLE_KILLS and SEED choose how often and when."""
    seed = int(os.environ.get("SEED", "0")) or random.randrange(1 << 30)
    fleet = start_fleet(valkey.url, lease=2, heartbeat=0.5, reservation_timeout=2)
    scenario = Kills(fleet, valkey, executor, seed)
    scenario.play(KILLS)
    print(scenario)
    assert scenario.repeated == [], f"SEED={seed}"


@pytest.mark.timeout(60)
def test_a_hundred_runs_wait_in_the_store_alone_and_wake_on_time(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Every worker has been restarted meanwhile."""
    fleet = start_fleet(valkey.url)
    first = fleet.start_node(executor="async", concurrency=200)
    at = datetime.now(UTC) + timedelta(seconds=11)
    batch = tasks.alarm.batch_trigger([BatchItem(tasks.Alarm(at=at)) for _ in range(100)])
    client, base = valkey.client(), f"{{tf:{fleet.environment}:0}}"

    def is_unloaded(run_id: str) -> bool:
        fields = client.execute_command("HMGET", f"{base}:run:{run_id}", "status", "node")
        return list(fields) == ["WAITING", None]

    wait_until(lambda: all(map(is_unloaded, batch.run_ids)), "all runs to be unloaded", timeout=20)
    kinds = ("run", "waits", "journal")
    sizes = [
        client.execute_command("MEMORY", "USAGE", f"{base}:{kind}:{run_id}") or 0
        for run_id in batch.run_ids
        for kind in kinds
    ]
    client.close()
    assert sum(sizes) / len(batch.run_ids) < SMALL
    first.stop()
    fleet.start_node(executor="async", concurrency=200)
    assert datetime.now(UTC) < at, "the machine was too slow for this test"
    with measured_unit() as unit:
        late = sorted(result.unwrap() for result in batch.results(timeout=30))
    assert len(late) == 100
    assert late[0] >= 0
    assert late[50] < unit.times(40), late
