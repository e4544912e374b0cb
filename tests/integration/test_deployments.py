"""Durable runs whose code changes while they wait: on real nodes of both executors."""

import json

import pytest

from taskflow import ReasonCode, RunHandle, RunStatus, Task, wait
from tests.conftest import StartFleet
from tests.integration.test_command_line import invoke
from tests.projects import durable_tasks as tasks
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

KINDS: list[Task[str, str]] = [tasks.deployed, tasks.async_deployed, tasks.child_deployed]


def deploy(fleet: Fleet, version: str) -> None:
    """Replace all nodes by nodes of a version."""
    for node in fleet.nodes:
        if node.process.poll() is None:
            node.kill()
    fleet.start_node(TASKFLOW_VERSION=version, wait=False)
    fleet.start_node(executor="async", TASKFLOW_VERSION=version, wait=False)
    for node in fleet.nodes[-2:]:
        fleet.wait_for(node)


def words(fleet: Fleet, first: str, handle: RunHandle[str]) -> list[list[str]]:
    """Return the lines of the ledger about a run that begin with a word."""
    return [line[2:] for line in fleet.ledger() if line[:2] == [first, handle.id]]


def until(handles: list[RunHandle[str]], status: RunStatus) -> None:
    """Wait until runs have a status and no process."""
    wait_until(lambda: {each.status() for each in handles} == {status}, f"the runs to be {status}", timeout=25)
    wait_until(lambda: {each.retrieve().attempts[-1].node for each in handles} <= {""} or status != "WAITING", "unload")


@pytest.mark.timeout(90)
def test_a_run_waits_for_the_code_that_made_its_journal(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """It says both versions, repeats nothing, calls no hook of an end, and goes on after a rollback."""
    fleet = start_fleet(valkey.url, lease=2, heartbeat=0.5)
    deploy(fleet, "v1")
    handles = [kind.trigger("x") for kind in KINDS]
    until(handles, RunStatus.WAITING)
    deploy(fleet, "v2")
    for handle in handles:
        wait.complete_token(words(fleet, "deployed", handle)[0][0], "ann")
    until(handles, RunStatus.PENDING_VERSION)
    for handle in handles:
        run = handle.retrieve()
        assert run.reason is not None
        assert run.reason.code is ReasonCode.OTHER_VERSION
        assert (run.reason.details["version"], run.reason.details["refused_by"]) == ("v1", "v2")
        assert "made by version v1 and does not fit version v2: the journal has a wait for token" in run.reason.text
        assert "a plain replay repeats step 'first'" in run.reason.text
        assert run.attempts[-1].outcome == "INTERRUPTED"
        assert json.loads(invoke("runs", "get", handle.id, "--json"))["reason"]["code"] == "other_version"
    deploy(fleet, "v1")
    assert [handle.result(timeout=20) for handle in handles] == ["ann"] * 3
    for handle in handles:
        assert [line[0] for line in words(fleet, "step", handle)] == ["s1", "s3"]
    assert not [line for line in fleet.ledger() if line[0] in ("compensates", "on_failure")]
