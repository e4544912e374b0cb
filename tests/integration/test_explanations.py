"""Explanations of runs on real nodes: ``runs get``, ``retrieve`` and ``runs count``."""

import asyncio
import json
from typing import Any

import pytest

from taskflow import ReasonCode, Run, RunFilter, RunHandle, RunStatus, queues, runs, tasks
from tests.conftest import StartFleet
from tests.integration.test_command_line import invoke
from tests.projects import durable_tasks, fleet_tasks, waiting_tasks
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


def waiting(handle: RunHandle[Any]) -> Run:
    """Return a run once it waits."""
    wait_until(lambda: handle.status() is RunStatus.WAITING, "the run to wait", timeout=20)
    return handle.retrieve()


def shown(handle: RunHandle[Any]) -> str:
    """Return the page of a run, with single spaces."""
    return " ".join(invoke("runs", "get", handle.id).split())


@pytest.mark.timeout(60)
def test_a_run_says_why_it_does_not_start_or_go_on(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """In Python, in a coroutine, as a page, and as JSON."""
    fleet = start_fleet(valkey.url)
    idle = fleet_tasks.echo.trigger({"a": 1}, tags="x", concurrency_key="k", metadata={"m": 1})
    reason = idle.retrieve().reason
    assert reason is not None
    assert reason.code is ReasonCode.NO_WORKER
    page = shown(idle)
    assert "why No worker that is up serves machine small-1x" in page
    assert all(part in page for part in ('payload { "a": 1 }', 'metadata { "m": 1 }', "concurrency key k", "tags x"))
    unknown = tasks.trigger("t-ecko").retrieve().reason
    assert unknown is not None
    assert unknown.details["near"] == "t-echo"

    fleet.start_node()
    assert idle.result(timeout=20) == {"a": 1}
    queues.pause(waiting_tasks.SINGLE)
    token = durable_tasks.approved.trigger("x")
    parent = waiting_tasks.batch_parent.trigger(waiting_tasks.Plan(values=[1, 2]))
    waiting(token)
    got = json.loads(invoke("runs", "get", token.id, "--json"))
    token_id = got["reason"]["details"]["token"]
    assert got["reason"]["code"] == "waits_for_token"
    assert f"taskflow tokens complete {token_id}" in got["reason"]["text"]
    assert [(step["kind"], step["state"]) for step in got["steps"]] == [("value", "done"), ("token", "waiting")]
    page = shown(token)
    assert "2 token (token): waiting at" in page
    assert f"waits for token {token_id}" in page

    reason = waiting(parent).reason
    assert reason is not None
    assert (reason.code, reason.details["done"], reason.details["items"]) == (ReasonCode.WAITS_FOR_BATCH, 1, 3)
    children = json.loads(invoke("runs", "get", parent.id, "--json"))["children"]
    assert set(children.values()) == {"QUEUED"}
    paused = asyncio.run(RunHandle[object](next(iter(children))).aretrieve()).reason
    assert paused is not None
    assert paused.code is ReasonCode.QUEUE_PAUSED
    assert "@" in str(paused.details["by"])
    assert f"paused since {paused.details['since']:%Y-%m-%d %H:%M:%S} UTC by {paused.details['by']}" in str(paused)
    assert runs.count(["status", "task"], where=RunFilter(task="w-child")) == {("QUEUED", "w-child"): 2}
    assert "w-child 2" in " ".join(invoke("runs", "count", "--by", "status,task", "--task", "w-child").split())
    queues.resume(waiting_tasks.SINGLE)
    assert parent.result(timeout=20) == ["2", "4", "FAILED"]
    assert asyncio.run(runs.acount("status", where=RunFilter(task="w-child"))) == {("COMPLETED",): 2}
    assert token.cancel()
    assert str(token.retrieve().reason).startswith("Canceled by user, ")


def test_a_trigger_with_a_known_key_says_so(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The handle is that of the run that exists."""
    start_fleet(valkey.url)
    first, second = (fleet_tasks.echo.trigger(1, idempotency_key="one") for _ in range(2))
    assert (first.is_cached, second.is_cached, first == second) == (False, True, True)
    third = asyncio.run(tasks.atrigger("t-echo", 1, idempotency_key="one"))
    assert (third.is_cached, third) == (True, first)
