"""Replay, reschedule, subscribe and bulk on real nodes, with the store as broker and with RabbitMQ."""

import asyncio
import contextlib
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from taskflow import (
    BulkAction,
    BulkStatus,
    PayloadError,
    RunFilter,
    RunFilterError,
    RunNotDelayedError,
    RunNotFoundError,
    RunStatus,
    TriggerOptionError,
    queues,
    runs,
)
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.models import Run
from taskflow.store import operations
from taskflow.store.wire import shard_of_run
from tests.conftest import StartFleet
from tests.projects.fleet_tasks import Nap, echo, flaky, heavy, sleep
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

LIFE = [RunStatus.QUEUED, RunStatus.EXECUTING, RunStatus.COMPLETED]


@pytest.mark.timeout(60)
def test_a_replay_copies_what_was_asked_for_and_not_what_was_meant_for_once(fleet: Fleet) -> None:
    """The list of copied options is Trigger.dev's. The new run has the id of the old one."""
    first = flaky.trigger(
        9, tags=["a"], metadata={"m": 1}, queue="t-three", concurrency_key="c", test=True, delay=0.01,
        idempotency_key="k", ttl="1h", priority=5, max_attempts=1,
    )  # fmt: skip
    before = first.retrieve()
    again = first.replay()
    after = again.retrieve()
    assert again.id != first.id
    assert after.replay_of == first.id
    kept = ("task_id", "payload", "tags", "metadata", "queue", "concurrency_key", "machine", "is_test")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert (after.idempotency_key, after.ttl, after.priority, after.due_at, after.max_attempts) == (
        None, None, 0, None, flaky.definition.retry.max_attempts,
    )  # fmt: skip
    fleet.start_node()
    done = echo.trigger({"a": 1})
    assert done.result(20) == {"a": 1}
    assert runs.replay(done.id).result(20) == {"a": 1}
    with pytest.raises(RunNotFoundError):
        runs.replay("run_nothing")


def test_a_delayed_run_is_rescheduled(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """It may start earlier or later, while it is delayed."""
    fleet = start_fleet(valkey.url)
    run = echo.trigger(1, delay="1h")
    at = datetime.now(UTC) + timedelta(hours=2)
    assert abs(run.reschedule(at) - at) < timedelta(milliseconds=2)
    assert run.retrieve().due_at == runs.retrieve(run.id).due_at
    with pytest.raises(TriggerOptionError):
        run.reschedule(-1)
    fleet.start_node()
    runs.reschedule(run.id, 0.2)
    assert run.result(20) == 1
    with pytest.raises(RunNotDelayedError):
        run.reschedule("5m")


@pytest.mark.timeout(60)
def test_every_change_of_a_run_is_told_once_however_often_the_connection_is_lost(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """CLIENT KILL closes all connections again and again while a run retries. Threads and coroutines see the same."""
    fleet = start_fleet(valkey.url)
    run = flaky.trigger(3, delay="1h")
    seen: dict[str, list[RunStatus]] = {"thread": [], "coroutine": []}

    def follow() -> None:
        seen["thread"] += [change.status for change in run.subscribe()]

    async def afollow() -> None:
        seen["coroutine"] += [change.status async for change in run.asubscribe()]

    followers = [threading.Thread(target=follow), threading.Thread(target=lambda: asyncio.run(afollow()))]
    for follower in followers:
        follower.start()
    client = valkey.client()
    blocked = "blocked_clients"
    wait_until(lambda: int(client.info("clients")[blocked]) >= 2, "both to listen")
    run.reschedule("2h")
    for _ in range(3):
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        run.reschedule("3h")
    fleet.start_node()
    run.reschedule(0)
    while any(follower.is_alive() for follower in followers):
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        followers[0].join(0.1)
    again = [RunStatus.REATTEMPTING, RunStatus.QUEUED, RunStatus.EXECUTING]
    expected = [RunStatus.DELAYED] * 6 + LIFE[:2] + again * 2 + [RunStatus.COMPLETED]
    assert seen["thread"] == expected
    assert seen["coroutine"] == expected


def test_tags_are_added_from_outside_and_told(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A run of any status gets them. More than ten are ignored, as within a run."""
    start_fleet(valkey.url)
    run = echo.trigger(1, tags=["a"])
    changes = run.subscribe()
    next(changes)
    assert runs.add_tags(run.id, ["a", "b"]) == 0
    assert next(changes).tags == ("a", "b")
    changes.close()
    run.cancel()
    assert runs.add_tags(run.id, [str(number) for number in range(10)]) == 2
    assert len(run.retrieve().tags) == 10
    with pytest.raises(RunNotFoundError):
        runs.add_tags("run_nothing", "a")
    with pytest.raises(TriggerOptionError):
        runs.add_tags(run.id, "")


def test_a_subscription_ends_with_the_run_and_may_be_left_before(fleet: Fleet) -> None:
    """The last item carries the output. The subscription to a run that has ended has one item."""
    run = echo.trigger("x")
    for first in run.subscribe():
        assert first.status is RunStatus.QUEUED
        break
    fleet.start_node()
    changes: list[Run] = []
    for change in runs.subscribe(run.id):
        changes.append(change)
    assert changes[-1].output == "x"
    assert [change.status for change in changes] == LIFE[-len(changes) :]
    assert [change.status for change in run.subscribe()] == [RunStatus.COMPLETED]
    with pytest.raises(RunNotFoundError):
        next(runs.subscribe("run_nothing"))


def test_many_runs_are_canceled_by_what_they_have_in_common(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The command proceeds part by part, with progress. Runs that have ended or do not match stay."""
    start_fleet(valkey.url, shards=2)
    made = sleep.batch_trigger([Nap()] * 250)
    other = echo.trigger(1, tags="keep")
    counts: list[int] = []
    where = RunFilter(task="t-sleep", status=RunStatus.QUEUED, created_from=datetime.now(UTC) - timedelta(hours=1))
    action = runs.bulk_cancel(where=where, on_progress=lambda it: counts.append(it.success))
    assert (action.total, action.success, action.failure, action.status) == (250, 250, 0, BulkStatus.COMPLETED)
    assert counts == [100, 200, 250]
    assert action.id.startswith("bulk_")
    assert made.progress().canceled == 250
    assert other.status() is RunStatus.QUEUED
    again = runs.bulk_cancel([*made.run_ids[:2], other.id, "run_nothing"])
    assert (again.success, again.failure) == (1, 3)
    assert {failure.reason for failure in again.failures[:2]} == {"It had ended already."}
    assert other.status() is RunStatus.CANCELED
    mistakes: list[tuple[list[str] | None, RunFilter | None]] = [
        (None, None),
        (None, RunFilter()),
        (["run_1"], RunFilter(task="t-sleep")),
    ]
    for ids, wrong in mistakes:
        with pytest.raises(RunFilterError):
            runs.bulk_cancel(ids, where=wrong)


async def test_an_old_run_is_found_without_a_history(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A list of the newest runs alone would hide it behind all later runs."""
    start_fleet(valkey.url, database_url="none")
    old = await echo.atrigger(1, tags="old")
    await sleep.abatch_trigger([Nap()] * 20)
    where = RunFilter(tag="old")
    assert [run.id for run in await runs.alist(5, where=where)] == [old.id]
    page = await asyncio.to_thread(runs.list, 5, where=where)
    assert [run.id for run in page] == [old.id]


def test_children_of_runs_that_are_canceled_together_are_canceled(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """It is the same when a run is canceled alone. Children in their final hooks do not end the search for others."""
    fleet = start_fleet(valkey.url)
    parent = sleep.trigger(Nap())
    children = [new_child(fleet, parent.id) for _ in range(30)]
    with contextlib.closing(valkey.client()) as client:
        for _ in range(200):
            in_hooks = new_child(fleet, parent.id)
            client.execute_command("HSET", f"{{tf:{fleet.environment}:0}}:run:{in_hooks}", "settled", "COMPLETED")
    assert runs.bulk_cancel([parent.id]).success == 1
    assert {runs.retrieve(child).status for child in children} == {RunStatus.CANCELED}


async def test_a_bulk_replay_may_be_stopped(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Replays that were made stay. The reason is given for a payload that does not fit any more."""
    fleet = start_fleet(valkey.url)
    made = await echo.abatch_trigger(range(150))

    def stop(action: BulkAction) -> None:
        action.abort()

    action = await runs.abulk_replay(where=RunFilter(queue="task/t-echo"), on_progress=stop)
    assert (action.total, action.success, action.status) == (150, 100, BulkStatus.ABORTED)
    assert {run.replay_of for run in [await runs.aretrieve(run_id) for run_id in action.run_ids]} < set(made.run_ids)
    bad = (await heavy.atrigger(Nap())).id
    record = f"{{tf:{fleet.environment}:0}}:run:{bad}"  # as if the task had had another payload when the run was made
    valkey.client().execute_command("HSET", record, "payload", '{"seconds": "x"}')
    with pytest.raises(PayloadError):
        await runs.areplay(bad)
    assert (await runs.abulk_replay([bad])).failure == 1


def test_a_paused_queue_holds_a_batch_back(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A batch is triggered like its runs one by one."""
    fleet = start_fleet(valkey.url)
    fleet.start_node()
    assert echo.trigger(0).result(20) == 0
    queues.pause("task/t-echo")
    made = echo.batch_trigger([1, 2])
    assert sleep.trigger(Nap()).result(20)
    assert {handle.status() for handle in made.runs()} == {RunStatus.QUEUED}
    queues.resume("task/t-echo")
    assert [result.output for result in made.results(20)] == [1, 2]


def test_a_cancel_leaves_no_effect_on_any_shard(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """An effect that stays makes the upkeep of its shard look for work without a pause."""
    fleet = start_fleet(valkey.url, shards=3)
    made = [echo.trigger(1, delay=60, queue=f"q{number}").id for number in range(10)]
    assert {shard_of_run(run_id) for run_id in made} == {0, 1, 2}
    assert all(runs.cancel(run_id) for run_id in made)
    with contextlib.closing(valkey.client()) as client:
        left = [
            client.execute_command("EXISTS", f"{fleet.flow.store.config.base(shard)}:effects") for shard in range(3)
        ]
    assert left == [0, 0, 0]


def new_child(fleet: Fleet, parent_id: str) -> str:
    """Trigger a run as code of another run does."""
    new = fleet.flow.planner.plan(sleep.definition, Nap(), TriggerOptions())
    return fleet.flow.store.run(operations.making.trigger_run(replace(new, parent_id=parent_id, root_id=parent_id)))[0]
