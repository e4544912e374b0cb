"""Trigger.dev's acceptance scenarios 14 to 18, on nodes of both kinds, with the store and RabbitMQ as brokers."""

import asyncio
import json
from typing import Any

import pytest

from taskflow import (
    RunHandle,
    RunStatus,
    Task,
    TokenDataError,
    TokenStatus,
    WaitToken,
    idempotency_keys,
    queues,
    runs,
    wait,
)
from tests.conftest import StartFleet
from tests.integration.test_command_line import invoke
from tests.projects import scenario_tasks as tasks
from tests.projects.scenario_tasks import Approval
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

ANN = Approval(approved=True, by="ann")


@pytest.fixture
def both(fleet: Fleet) -> Fleet:
    """A node of each kind."""
    fleet.start_node(concurrency=5, wait=False)
    fleet.start_node(executor="async", concurrency=20, wait=False)
    for node in fleet.nodes:
        fleet.wait_for(node)
    return fleet


def waiting(*handles: RunHandle[Any]) -> None:
    """Wait until runs wait."""
    wait_until(lambda: {each.status() for each in handles} == {RunStatus.WAITING}, "the runs to wait", timeout=20)


@pytest.mark.timeout(60)
def test_17_tokens_wake_what_waits_for_them(both: Fleet) -> None:
    """Several runs wait for one token. Others time out, are completed already, or are kept by a key over attempts."""
    token, late = wait.create_token(Approval), wait.create_token(timeout=2)
    waits = [task.trigger(token.id) for task in (tasks.approved, tasks.async_approved)]
    timed_out = tasks.async_approved.trigger(late.id)
    persistent = tasks.persistent.trigger(0.2)
    waiting(*waits)
    with pytest.raises(TokenDataError, match="approved: it is not of type"):  # the id alone: the type is not at hand
        wait.complete_token(token.id, {"approved": "maybe", "by": "ann"})
    with pytest.raises(TokenDataError, match="by"):
        asyncio.run(wait.acomplete_token(token.id, {"approved": True}))
    with pytest.raises(TokenDataError):
        wait.complete_token(WaitToken(token.id, output_type=int), 5)
    refused = " ".join(invoke("tokens", "complete", token.id, '"yes"', expect=1).split())
    assert 'the value: it is not of type "object"' in refused
    assert json.loads(invoke("tokens", "get", token.id, "--json"))["schema"]["required"] == ["approved", "by"]
    assert wait.retrieve_token(token.id).status is TokenStatus.WAITING
    assert wait.complete_token(token, ANN)
    assert not wait.complete_token(token.id, {"approved": False, "by": "bob"})
    assert [handle.result(timeout=20) for handle in waits] == ["ann", "ann"]
    assert timed_out.result(timeout=20) == "WaitTimeoutError"
    assert wait.retrieve_token(late.id).status is TokenStatus.TIMED_OUT
    assert tasks.approved.trigger(token.id).result(timeout=20) == "ann"
    untyped = wait.create_token()
    wait.complete_token(untyped, "no approval")
    assert tasks.async_approved.trigger(untyped.id).result(timeout=20) == "TokenDataError"
    hooks = [line[1:] for line in both.ledger() if line[0] == "on_wait"]
    assert ["token", token.id, "False"] in hooks
    assert ["token", late.id, "True"] in hooks

    wait_until(lambda: len(_lines(both, "token")) == 2, "the second attempt", timeout=20)
    made = _lines(both, "token")
    assert [line[1:] for line in made] == [["1", made[0][2], "False"], ["2", made[0][2], "True"]]
    waiting(persistent)
    wait.complete_token(made[0][2], ANN)
    assert persistent.result(timeout=20) == "ann"
    assert len(persistent.retrieve().attempts) == 2


def test_17_a_key_gives_another_token_when_its_time_is_up(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Before that, every call gets the same token."""
    start_fleet(valkey.url)
    key = idempotency_keys.create("k", scope="global")
    first = wait.create_token(idempotency_key=key, idempotency_key_ttl=0.3)
    assert wait.create_token(idempotency_key=key).id == first.id
    wait_until(lambda: wait.create_token(idempotency_key=key).id != first.id, "the key to be free", timeout=5)


@pytest.mark.timeout(60)
def test_14_and_15_parents_wait_for_shared_children_and_for_batches(both: Fleet) -> None:
    """The child ran once. A batch ends with the last of its runs; results are in the order of its items."""
    batches: list[tuple[RunHandle[list[str]], list[str]]] = []
    for parent in (tasks.batch_parent, tasks.async_batch_parent):
        tokens = [wait.create_token().id, wait.create_token().id]
        batches.append((parent.trigger(tokens), tokens))
    sharing = [task.trigger(7) for task in (tasks.sharing, tasks.async_sharing) for _ in range(2)]
    assert [handle.result(timeout=20) for handle in sharing] == ["14"] * 4
    assert len([line for line in _lines(both, "child") if line[2] == "7"]) == 1
    assert tasks.sharing.trigger(7).result(timeout=20) == "14"  # the child had ended before the wait
    assert tasks.async_sharing.trigger(-1).result(timeout=20) == "FAILED"
    for _, tokens in batches:
        wait.complete_token(tokens[1], "b")
    half = {RunStatus.COMPLETED: 2, RunStatus.WAITING: 2}
    wait_until(lambda: _gated() == half, "one child of each to end", timeout=20)
    waiting(*(handle for handle, _ in batches))
    for _, tokens in batches:
        wait.complete_token(tokens[0], "a")
    assert [handle.result(timeout=20) for handle, _ in batches] == [["a", "b", "10"]] * 2
    assert tasks.broken_batch.trigger(["x", "y"]).result(timeout=20) == "the rest is gone"  # scenario 16
    assert sum(_gated().values()) == 4


@pytest.mark.timeout(60)
def test_18_a_canceled_parent_ends_with_its_waiting_child(both: Fleet) -> None:
    """Each is canceled once, and leaves no timer or slot."""
    parents: list[Task[list[str], list[str]]] = [tasks.batch_parent, tasks.async_batch_parent]
    token = wait.create_token()
    handles = [parent.trigger([token.id]) for parent in parents]
    waiting(tasks.async_approved.trigger(token.id))
    wait_until(lambda: _gated() == {RunStatus.WAITING: 2}, "the children to wait", timeout=20)
    for handle in handles:
        assert handle.cancel()
        assert not handle.cancel()
    assert _gated() == {RunStatus.CANCELED: 2}
    canceled = [handle.id for handle in handles] + [run.id for run in runs.list(50) if run.task_id == "s-gated"]
    base = both.flow.store.config.base(0)
    (events,) = both.flow.store.send([("XRANGE", f"{base}:events", "-", "+")])
    ends = [fields[1].decode() for _, fields in events if fields[5] == b"CANCELED"]
    assert sorted(ends) == sorted(canceled)
    assert both.flow.store.send([("SCARD", f"{base}:waiters:{token.id}")]) == [1]
    assert wait.complete_token(token.id, {"approved": True, "by": "ann"})
    wait_until(lambda: queues.retrieve("t-single").running == 0, "the last one to end", timeout=20)
    assert _gated() == {RunStatus.CANCELED: 2}


def _lines(fleet: Fleet, kind: str) -> list[list[str]]:
    return [line for line in fleet.ledger() if line[0] == kind]


def _gated() -> dict[RunStatus, int]:
    ends: dict[RunStatus, int] = {}
    for run in runs.list(100):
        if run.task_id == "s-gated":
            ends[run.status] = ends.get(run.status, 0) + 1
    return ends
