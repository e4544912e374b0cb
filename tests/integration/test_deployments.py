"""Durable runs whose code changes while they wait: on real nodes of both executors."""

import contextlib
import json
from typing import Any, cast

import pytest
from redis.exceptions import ResponseError

from taskflow import (
    JournalNotKeptError,
    NotResumableError,
    ReasonCode,
    RunHandle,
    RunStatus,
    StepNotFoundError,
    Task,
    runs,
    wait,
)
from taskflow.store.connections import scripts
from tests.conftest import StartFleet
from tests.integration.test_command_line import invoke
from tests.projects import durable_tasks as tasks
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

KINDS: list[Task[str, str]] = [tasks.deployed, tasks.async_deployed, tasks.child_deployed]


def deploy(fleet: Fleet, version: str) -> None:
    """Replace all nodes by nodes of a version."""
    kill(fleet)
    fleet.start_node(TASKFLOW_VERSION=version, wait=False)
    fleet.start_node(executor="async", TASKFLOW_VERSION=version, wait=False)
    for node in fleet.nodes[-2:]:
        fleet.wait_for(node)


def kill(fleet: Fleet) -> None:
    """Kill all nodes."""
    for node in fleet.nodes:
        if node.process.poll() is None:
            node.kill()


def words(fleet: Fleet, first: str, handle: RunHandle[Any]) -> list[list[str]]:
    """Return the lines of the ledger about a run that begin with a word."""
    return [line[2:] for line in fleet.ledger() if line[:2] == [first, handle.id]]


def until(handles: list[RunHandle[str]], status: RunStatus) -> None:
    """Wait until runs have a status and no process."""
    wait_until(lambda: {each.status() for each in handles} == {status}, f"the runs to be {status}", timeout=25)
    wait_until(lambda: {each.retrieve().attempts[-1].node for each in handles} <= {""} or status != "WAITING", "unload")


@pytest.mark.interpreter
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
        assert "A plain replay repeats step 'first'" in run.reason.text
        assert run.attempts[-1].outcome == "INTERRUPTED"
        assert json.loads(invoke("runs", "get", handle.id, "--json"))["reason"]["code"] == "other_version"
    deploy(fleet, "v1")
    assert [handle.result(timeout=20) for handle in handles] == ["ann"] * 3
    for handle in handles:
        assert [line[0] for line in words(fleet, "step", handle)] == ["s1", "s3"]
    assert not [line for line in fleet.ledger() if line[0] in ("compensates", "on_failure")]


@pytest.mark.timeout(90)
def test_a_run_goes_on_from_a_step_with_the_code_that_is_up(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Steps before it are not repeated; without a step it is the first call that does not fit."""
    fleet = start_fleet(valkey.url, lease=2, heartbeat=0.5)
    deploy(fleet, "v1")
    handles = [kind.trigger("x") for kind in KINDS]
    until(handles, RunStatus.WAITING)
    with pytest.raises(NotResumableError, match="it is WAITING"):
        runs.resume(handles[0].id)
    deploy(fleet, "v2")
    for handle in handles:
        wait.complete_token(words(fleet, "deployed", handle)[0][0], "ann")
    until(handles, RunStatus.PENDING_VERSION)
    with pytest.raises(StepNotFoundError, match=r"no call 'nothing'.*1 \(step 'first'\)"):
        runs.resume(handles[0].id, "nothing")
    handles[0].resume()
    runs.resume(handles[1].id, from_step="3")
    assert "goes on" in invoke("runs", "resume", handles[2].id, "--from", "first")
    assert [handle.result(timeout=20) for handle in handles[:2]] == ["ann"] * 2
    assert [[line[0] for line in words(fleet, "step", handle)] for handle in handles[:2]] == [["s1", "s2", "s3"]] * 2
    tokens = wait_until(
        lambda: found if len(found := {line[0]: None for line in words(fleet, "deployed", handles[2])}) == 2 else {},
        "the token of the call that was made again",
    )
    second = list(tokens)[-1]
    wait.complete_token(second, "bob")
    assert handles[2].result(timeout=20) == "bob"
    assert [line[0] for line in words(fleet, "step", handles[2])] == ["s1", "s1", "s2", "s3"]


@pytest.mark.timeout(90)
@pytest.mark.parametrize("kind", [tasks.mended, tasks.async_mended], ids=["process", "async"])
def test_a_replay_keeps_what_the_failed_run_has_done(
    start_fleet: StartFleet, valkey: RedisServer, kind: Task[str, list[str]]
) -> None:
    """Its steps, values and children are not repeated, and the step that failed has all its tries again."""
    fleet = start_fleet(valkey.url, lease=2, heartbeat=0.5)
    deploy(fleet, "v1")
    failed = kind.trigger("x")
    wait_until(lambda: failed.status() is RunStatus.FAILED, "the failure", timeout=20)
    assert [call.name for call in failed.retrieve().steps if "/" not in call.key] == [
        "first",
        "durable.uuid4",
        "w-child",
    ]
    kill(fleet)
    with contextlib.closing(valkey.client()) as client:
        with contextlib.suppress(ResponseError):  # the server does not know it
            client.execute_command("FUNCTION", "DELETE", scripts.script("plant_journal").function)
        again = failed.replay(keep_journal=True)
        shard = fleet.flow.store.config.base(0)
        assert client.execute_command("PTTL", f"{shard}:journal:{again.id}") == -1, (
            "it is there before the run, whose making keeps it"
        )
    deploy(fleet, "v1")
    wait_until(lambda: again.status() is RunStatus.FAILED, "the failure of the same code", timeout=20)
    assert words(fleet, "tries", again) == words(fleet, "tries", failed) == [["x"], ["x"]]
    deploy(fleet, "v2")
    mended = runs.replay(again.id, keep_journal=True)
    key, value, last = cast("list[str]", mended.result(timeout=20))
    assert (value, last) == ("8", "x")
    children = [line for line in fleet.ledger() if line[0] == "child"]
    assert len(children) == 1, children
    assert words(fleet, "step", failed) == [["s1"]]
    assert words(fleet, "step", again) == words(fleet, "step", mended) == []
    new_run = invoke("runs", "replay", failed.id, "--from", "durable.uuid4", "--json")
    (new_id,) = json.loads(new_run)["run_ids"]
    other_key, value, last = RunHandle[list[str]](new_id).result(timeout=20)
    assert (value, last) == ("8", "x")
    assert other_key != key
    assert len([line for line in fleet.ledger() if line[0] == "child"]) == 2
    assert not [line for line in fleet.ledger() if line[0] == "step" and line[1] == new_id]
    with pytest.raises(JournalNotKeptError, match="which is COMPLETED"):
        runs.replay(mended.id, keep_journal=True)
