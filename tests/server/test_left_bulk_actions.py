"""Bulk actions whose process is gone: another process goes on, and each run is acted on once."""

from collections.abc import Sequence
from contextvars import copy_context

import httpx
import pytest

from taskflow import BatchItem
from taskflow.definition.calls.bulk import BulkKind
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.engine.caller import name_caller
from taskflow.engine.round_trips import drive
from taskflow.models import BulkStatus
from taskflow.store.operations.serving.bulk_actions import (
    BulkProgress,
    advance_bulk_action,
    begin_bulk_action,
    read_bulk_actions,
)
from tests.conftest import StartFleet
from tests.projects.fleet_tasks import echo
from tests.support.api_server import ApiServer
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

ACTION = "bulk_left"
RUNS = 250


def make(count: int = RUNS) -> list[str]:
    """Make runs that do not start."""
    return list(echo.batch_trigger(BatchItem(number, delay="1h", tags=["left"]) for number in range(count)).run_ids)


def begin(fleet: Fleet, kind: BulkKind, selected: Sequence[str] | Sequence[RunFilter]) -> None:
    """Begin an action in a process that then dies."""
    assert fleet.flow.store.run(begin_bulk_action(ACTION, kind, selected, name="left", by="API key_1"))
    leave(fleet)


def half_done(fleet: Fleet, kind: BulkKind, run_ids: Sequence[str]) -> None:
    """Do a part of the action without a note, as a process that dies at that moment."""
    name_caller(f"API key_1 ({ACTION})")
    drive(fleet.flow.store, fleet.flow.engine.runs.many.bulk(kind, run_ids, None, set(), ACTION))


def leave(fleet: Fleet, action: str = ACTION) -> None:
    """End the lease of the action's performer."""
    fleet.flow.store.send([("ZADD", f"{_base(fleet)}:bulk_due", "XX", 0, action)])


def progress(fleet: Fleet, action: str = ACTION) -> BulkProgress:
    """Return an action."""
    return fleet.flow.store.run(read_bulk_actions(action))[0]


def _base(fleet: Fleet) -> str:
    return f"{{tf:{fleet.flow.settings.environment}:0}}"


@pytest.mark.parametrize("kind", ["cancel", "replay"])
def test_a_part_that_was_done_and_not_noted_counts_once(
    start_fleet: StartFleet, valkey: RedisServer, kind: BulkKind
) -> None:
    """The process died between the part and its note."""
    fleet = start_fleet(valkey.url)
    ids = make()
    begin(fleet, kind, ids)
    copy_context().run(half_done, fleet, kind, ids[:100])
    fleet.flow.engine.bulk_actions.take_over(lambda: False)
    done = progress(fleet)
    assert (done.status, done.total, done.success, done.failure) == (BulkStatus.COMPLETED, RUNS, RUNS, 0)
    statuses = fleet.flow.engine.runs.count(["status"], RunFilter(tag="left"))
    assert statuses == ({("CANCELED",): RUNS} if kind == "cancel" else {("DELAYED",): RUNS, ("QUEUED",): RUNS})
    run = fleet.flow.engine.runs.retrieve(ids[0])
    assert kind == "replay" or run.canceled_by == f"API key_1 ({ACTION})"


def test_an_action_whose_process_has_lost_its_claim_writes_nothing(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """Its late note would count a part twice."""
    fleet = start_fleet(valkey.url)
    begin(fleet, "cancel", make(3))
    fleet.flow.engine.bulk_actions.take_over(lambda: False)
    late = advance_bulk_action(ACTION, 1, success=1, failure=0, size=100)
    assert fleet.flow.store.run(late) == []
    assert progress(fleet).success == 3


def test_an_action_that_is_stopped_without_a_process_is_aborted(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Nobody goes on with it."""
    fleet = start_fleet(valkey.url)
    ids = make(3)
    begin(fleet, "cancel", ids)
    fleet.flow.store.run(read_bulk_actions(ACTION, is_to_stop=True))
    fleet.flow.engine.bulk_actions.take_over(lambda: False)
    assert progress(fleet).status is BulkStatus.ABORTED
    assert fleet.flow.engine.runs.status(ids[0]) == "DELAYED"
    assert fleet.flow.store.send([("EXISTS", f"{_base(fleet)}:bulk:{ACTION}:ids")]) == [0]


def test_a_worker_goes_on_with_an_action_by_a_filter(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """No server is left."""
    fleet = start_fleet(valkey.url)
    make()
    begin(fleet, "cancel", [RunFilter(tag="left"), RunFilter(task="t-nothing")])
    fleet.start_node(executor="async")
    wait_until(lambda: progress(fleet).status is BulkStatus.COMPLETED, "the worker has done it", timeout=20)
    assert fleet.flow.engine.runs.count(["status"], RunFilter(tag="left")) == {("CANCELED",): RUNS}


@pytest.mark.timeout(90)  # two servers
def test_a_server_goes_on_with_what_a_killed_server_began(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """``kill -9`` in the middle of a replay: each run is replayed once."""
    fleet = start_fleet(valkey.url)
    count = 1500
    ids = make(count)
    server = ApiServer(fleet)
    try:
        server.start()
        headers = {"authorization": f"Bearer {server.new_key()}"}
        body = {"action": "replay", "runIds": ids}
        action = httpx.post(f"{server.url}/api/v1/bulk-actions", json=body, headers=headers).json()["id"]
        wait_until(lambda: progress(fleet, action).success > 0, "the first part is done")
        server.close()
        assert progress(fleet, action).status is BulkStatus.PENDING, "the server was too fast to be killed in time"
        leave(fleet, action)
        server.start()
        wait_until(lambda: progress(fleet, action).status is BulkStatus.COMPLETED, "the second server has done it")
    finally:
        server.close()
    assert (progress(fleet, action).success, progress(fleet, action).failure) == (count, 0)
    counts = fleet.flow.engine.runs.count(["status"], RunFilter(tag="left"))
    assert counts == {("DELAYED",): count, ("QUEUED",): count}
