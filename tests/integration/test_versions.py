"""Deploys: a run of a task that no worker has registered waits for one that has. Old and new workers run together."""

import contextlib
import logging

import pytest

from taskflow import ReasonCode, RunFilter, RunStatus, tasks
from taskflow.verbs.tasks_by_id import runs
from tests.conftest import StartFleet
from tests.integration.test_stops import url
from tests.projects import fleet_tasks
from tests.support.commands import run_command
from tests.support.fleet import TASKS, Fleet, Node
from tests.support.servers import RedisServer, Server
from tests.support.waiting import wait_until


def start_next(fleet: Fleet) -> Node:
    """Start a node of the next deploy, which has one task more."""
    more = f"{TASKS},tests.projects.foreign_tasks"
    return fleet.start_node(executor="async", concurrency=10, TASKFLOW_TASKS=more, TASKFLOW_VERSION="2")


@pytest.mark.timeout(90)
def test_a_run_waits_for_the_first_worker_that_knows_its_task(
    start_fleet: StartFleet, valkey: RedisServer, broker_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """The process that triggers it does not have the task's code. Old and new workers share the queue."""
    fleet = start_fleet(valkey.url, url(valkey, broker_server), is_new=True)
    known = fleet_tasks.async_sleep.trigger(fleet_tasks.Nap())
    with caplog.at_level(logging.WARNING, "taskflow.trigger"):
        foreign = [tasks.trigger("t-elsewhere", {"number": number}) for number in range(4)]
    batch = tasks.batch_trigger("t-elsewhere", [{"number": 4}])
    handles = [*foreign, *batch.runs()]
    assert {known.status(), *(handle.status() for handle in handles)} == {RunStatus.PENDING_VERSION}
    assert caplog.text.count("task.foreign") == 1
    old = fleet.start_node(executor="async", concurrency=10, TASKFLOW_VERSION="1")
    known.result(timeout=20)
    assert known.retrieve().version == "1"
    assert {handle.status() for handle in handles} == {RunStatus.PENDING_VERSION}
    new = start_next(fleet)
    assert {handle.result(timeout=30) for handle in handles} == {"2"}
    records = [handle.retrieve() for handle in handles]
    assert {(record.queue, record.executor, record.version) for record in records} == {("t-elsewhere", "async", "2")}
    ran = [line[2] for line in fleet.ledger() if line[1] in {handle.id for handle in handles}]
    assert sorted(ran) == ["0", "1", "2", "3", "4"]
    new.stop()
    later = tasks.trigger("t-elsewhere", {"number": 5})
    wait_until(lambda: f"ticket.foreign: {later.id}" in old.output(), "the old worker to give the ticket back")
    assert later.status() is RunStatus.QUEUED
    start_next(fleet)
    assert later.result(timeout=30) == "2"


@pytest.mark.timeout(60)
def test_a_queue_that_no_task_uses_holds_its_run(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A misspelt queue shows as PENDING_VERSION, and the run can be canceled."""
    fleet = start_fleet(valkey.url, pending_version_timeout=2)
    fleet.start_node(executor="async")
    misspelt = fleet_tasks.async_sleep.trigger(fleet_tasks.Nap(), queue="t-tenant")
    other = fleet_tasks.async_sleep.trigger(fleet_tasks.Nap(), queue="t-tenants")
    other.result(timeout=20)
    assert misspelt.status() is RunStatus.PENDING_VERSION
    assert [run.id for run in runs.list(where=RunFilter(status=RunStatus.PENDING_VERSION)).runs] == [misspelt.id]
    wait_until(lambda: misspelt.status() is RunStatus.EXPIRED, "its patience to end")
    error = misspelt.retrieve().error
    assert error is not None
    assert "No worker has registered queue 't-tenant'" in error.message


@pytest.mark.timeout(90)
def test_a_task_that_cannot_be_served_costs_the_others_nothing(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """One annotation that pydantic cannot use had every node of the class restart for ever, and the doctor said ok."""
    fleet = start_fleet(valkey.url)
    more = f"{TASKS},tests.projects.broken_tasks"
    waiting = tasks.trigger("br-opaque", 1)
    node = fleet.start_node(executor="async", concurrency=10, TASKFLOW_TASKS=more, TASKFLOW_VERSION="7")
    assert tasks.trigger("br-fine", 1).result(timeout=20) == 1
    assert tasks.trigger("br-undescribed", {"number": 5}).result(timeout=20) == 5
    assert tasks.trigger("br-odd", 1).result(timeout=20) == 2
    broken = {
        "br-opaque": "Opaque",
        "br-raises": "RuntimeError: no schema",
        "br-leaves": "SystemExit",
        "br-output": "Opaque",
        "br-unknown": "Nowhere",
    }
    (worker,) = fleet.flow.engine.nodes.registrations().workers
    assert worker.faults.keys() == broken.keys()
    log = node.output().splitlines()
    for task_id, why in broken.items():
        (line,) = [line for line in log if f"task.unusable: {task_id} " in line]
        assert why in line
        assert "broken_tasks.py:" in line
    reason = waiting.retrieve().reason
    assert reason is not None
    assert (waiting.status(), reason.code) == (RunStatus.PENDING_VERSION, ReasonCode.UNKNOWN_TASK)
    assert "cannot serve it" in reason.text
    assert "Opaque" in reason.text
    env = {**fleet.env(), "TASKFLOW_TASKS": more}
    for command, code in (
        (("workers", "list"), 0),
        (("doctor",), 1),
        (("worker", "--show"), 0),
        (("trigger", "br-opaque", "1"), 1),
    ):
        done = run_command(*command, env=env)
        assert done.returncode == code, done.stdout + done.stderr
        told = done.stdout + done.stderr
        assert "Traceback" not in told
        if command != ("worker", "--show"):
            assert "br-opaque" in told
            assert "Opaque" in told
    assert node.stop() == 0


@pytest.mark.timeout(60)
def test_a_run_of_a_task_that_cannot_be_served_any_more_fails_with_the_reason(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """An older worker had registered the task. A message of a plain producer becomes a run that has failed."""
    fleet = start_fleet(valkey.url)
    base = fleet.flow.store.config.base(0)
    more = f"{TASKS},tests.projects.broken_tasks"
    node = fleet.start_node(executor="async", concurrency=10, TASKFLOW_TASKS=more)
    with contextlib.closing(valkey.client()) as client:
        for key in ("tasks", "templates"):
            known = client.execute_command("HGET", f"{base}:{key}", "br-fine")
            client.execute_command("HSET", f"{base}:{key}", "br-raises", known.replace("br-fine", "br-raises"))
    handle = tasks.trigger("br-raises", 1)
    fleet.flow.celery.send_task(
        "br-leaves", args=[1], task_id="plain-broken", queue=f"{fleet.environment}.small-1x.async"
    )
    wait_until(lambda: handle.status().is_finished, "the run to end")
    run = handle.retrieve()
    assert run.error is not None
    assert (run.status, len(run.attempts)) == (RunStatus.FAILED, 1)
    assert "no schema" in run.error.message
    plain = RunFilter(task="br-leaves")
    wait_until(lambda: [run.status for run in runs.list(where=plain)] == [RunStatus.FAILED], "the message's run")
    assert node.stop() == 0
