"""Limits over real nodes: tenants, rates and pauses, checked by an independent ledger."""

from collections import Counter

import pytest

from taskflow import RunStatus, queues, runs
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


def most_alive(lines: list[list[str]], tenant: str | None = None) -> int:
    """Return the most runs alive at one instant, of one tenant or of all."""
    changes = [(float(at), 1 if what == "start" else -1) for what, _, of, _, at in lines if tenant in (None, of)]
    alive = most = 0
    for _, change in sorted(changes):
        alive += change
        most = max(most, alive)
    return most


@pytest.mark.timeout(90)
def test_tenants_are_served_fairly_within_every_limit(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """2,000, 50 and 1 queued runs: of each tenant two execute at a time and 100 start a second; four execute in all."""
    fleet = start_fleet(valkey.url)
    for key, count in (("many", 2000), ("some", 50), ("single", 1)):
        for _ in range(count):
            tasks.tenant.trigger(tasks.Nap(seconds=0.002), concurrency_key=key)
    for _ in range(2):
        fleet.start_node(executor="async", concurrency=20)
    wait_until(lambda: sum(line[0] == "end" for line in fleet.ledger()) > 500, "500 runs", timeout=40)
    lines = fleet.ledger()
    starts = [line for line in lines if line[0] == "start"]
    assert "single" in [line[2] for line in starts[:6]]
    assert most_alive(lines) <= 4
    assert all(most_alive(lines, tenant) <= 2 for tenant in ("many", "some", "single"))
    times = [float(line[4]) for line in starts if line[2] == "many"]
    assert all(later - earlier > 0.95 for earlier, later in zip(times, times[201:], strict=False))
    assert not [run for run, count in Counter(line[1] for line in starts).items() if count > 1]


@pytest.mark.timeout(60)
def test_a_pause_stops_new_starts_everywhere_and_a_resume_lets_them_go_on(fleet: Fleet) -> None:
    """Runs that execute go on. Runs that have a ticket already do not start."""
    for _ in range(2):
        fleet.start_node(concurrency=1)
    queue = "task/t-sleep"
    handles = [tasks.sleep.trigger(tasks.Nap(seconds=0.2)) for _ in range(12)]
    wait_until(lambda: len(fleet.ledger()) >= 2, "the first runs to start")
    queues.pause(queue)
    wait_until(lambda: queues.retrieve(queue).running == 0, "what executes to end")
    started = len([line for line in fleet.ledger() if line[0] == "start"])
    state = queues.retrieve(queue)
    assert state.is_paused
    assert state.queued == 12 - started
    assert tasks.echo.trigger("other queue").result(timeout=10) == "other queue"
    assert len([line for line in fleet.ledger() if line[0] == "start"]) == started + 1
    queues.resume(queue)
    for handle in handles:
        handle.result(timeout=20)
    assert {handle.status() for handle in handles} == {RunStatus.COMPLETED}
    assert queues.retrieve(queue).queued == 0


@pytest.mark.timeout(60)
def test_children_follow_a_canceled_parent(fleet: Fleet) -> None:
    """This is so for children that execute and for children that wait."""
    fleet.start_node(concurrency=2)
    parent = tasks.parent.trigger(None)
    wait_until(lambda: len(fleet.ledger()) >= 3, "the children to be triggered")
    children = [line[1] for line in fleet.ledger() if line[0] == "child"]
    assert parent.cancel()
    wait_until(
        lambda: {runs.retrieve(child).status for child in children} == {RunStatus.CANCELED}, "the children to follow"
    )
    assert runs.retrieve(children[0]).parent_id == parent.id
