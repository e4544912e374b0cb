"""Reports about real nodes, and the drain of one of them."""

import asyncio
from collections.abc import Mapping

import pytest

from taskflow import Run, RunStatus, queues
from taskflow.engine.serving.queue_overview import QueueOverview, QueuesOverview
from taskflow.models import Reason, ReasonCode
from taskflow.store.operations.overviews.nodes import NodeReport
from taskflow.store.operations.overviews.tasks import read_tasks
from tests.conftest import StartFleet
from tests.integration.test_stops import started
from tests.projects import fleet_tasks as tasks
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

QUEUE = "t-one"


def nodes(fleet: Fleet) -> list[NodeReport]:
    """Return the nodes that are up."""
    return list(fleet.flow.engine.nodes.reports().nodes)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_a_drained_node_ends_its_runs_and_leaves(start_fleet: StartFleet, valkey: RedisServer, executor: str) -> None:
    """It reports its load meanwhile. Nothing is lost: the run that it executes ends there."""
    fleet = start_fleet(valkey.url, shutdown_grace=20, heartbeat=1)
    nap = tasks.sleep if executor == "process" else tasks.async_sleep
    node = fleet.start_node(executor=executor)
    finishing = nap.trigger(tasks.Nap(seconds=3))
    wait_until(lambda: started(fleet, finishing.id), "the run to start")
    wait_until(lambda: nodes(fleet)[0].memory is not None, "its heartbeat")
    [report] = nodes(fleet)
    assert (report.executing, report.parked, report.capacity) == (1, 0, 2)
    assert report.memory_bytes
    assert report.memory is not None
    assert 0 < report.memory <= 1
    assert report.classes == (f"small-1x.{executor}",)
    fleet.flow.engine.nodes.drain(report.id)
    wait_until(lambda: nodes(fleet)[0].draining_at, "the node to drain")
    [report] = nodes(fleet)
    assert (report.queues, report.executing) == ((), 1)
    assert report.grace is not None
    assert report.grace.total_seconds() == 20
    after = nap.trigger(tasks.Nap(seconds=0))
    assert node.process.wait(20) == 0
    assert finishing.status() is RunStatus.COMPLETED
    assert len(finishing.retrieve().attempts) == 1
    assert nodes(fleet) == []
    assert fleet.flow.engine.nodes.reports().lost == ()
    fleet.start_node(executor=executor)
    assert after.result(timeout=20)


@pytest.mark.timeout(60)
def test_a_killed_node_is_shown_as_lost_with_its_runs(start_fleet: StartFleet, valkey: RedisServer) -> None:
    fleet = start_fleet(valkey.url, lease=3, heartbeat=1)
    node = fleet.start_node()
    handle = tasks.sleep.trigger(tasks.Nap(seconds=60))
    wait_until(lambda: started(fleet, handle.id), "the run to start")
    [report] = nodes(fleet)
    node.kill()
    fleet.start_node()
    wait_until(lambda: fleet.flow.engine.nodes.reports().lost, "the loss")
    [lost] = fleet.flow.engine.nodes.reports().lost
    assert (lost.id, lost.host, lost.runs) == (report.id, report.host, 1)
    assert report.id not in [each.id for each in nodes(fleet)]
    handle.cancel()


def test_people_can_read_how_a_task_was_declared(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A worker has registered it: kind, hooks, retry, file and line."""
    fleet = start_fleet(valkey.url)
    [record] = fleet.flow.store.run(read_tasks("t-sleep"))
    assert record.details is not None
    assert (record.details.kind, record.details.file) == ("task", "tests/projects/fleet_tasks.py")
    assert record.details.line > 1
    assert record.details.retry.max_attempts == record.max_attempts
    assert '"seconds"' in record.schema


def test_rows_of_a_list_say_why_they_wait_and_queues_since_when(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """One call for all rows, on several shards, as a page reads them."""
    fleet = start_fleet(valkey.url, shards=3)
    first, second = (tasks.one.trigger(tasks.Nap(seconds=0)) for _ in range(2))
    delayed = tasks.sleep.trigger(tasks.Nap(seconds=0), delay="1h")
    queues.pause(QUEUE, reason="supplier API is down")
    engine = fleet.flow.engine

    async def read() -> tuple[Mapping[str, tuple[Run, Reason | None]], QueuesOverview, QueueOverview]:
        reasons = await engine.reasons.areasons([second.id, delayed.id, "<script>", first.id, "run_" + "0" * 33])
        return reasons, await engine.queues.aoverview(), await engine.queues.aoverview_of(QUEUE)

    reasons, overview, one = asyncio.run(read())
    assert reasons.keys() == {first.id, second.id, delayed.id}
    codes = {run_id: reason.code for run_id, (_, reason) in reasons.items() if reason}
    assert codes == {
        first.id: ReasonCode.QUEUE_PAUSED, second.id: ReasonCode.QUEUE_PAUSED, delayed.id: ReasonCode.DELAYED
    }  # fmt: skip
    reason = reasons[second.id][1]
    assert reason is not None
    assert ": supplier API is down. Resume:" in reason.text
    assert second.retrieve().reason == reason
    assert (one.oldest_id, one.state.queued, one.state.paused_note) == (first.id, 2, "supplier API is down")
    assert overview.oldest is not None
    assert overview.oldest.state.name == QUEUE
    assert (overview.environment.queued, overview.environment.delayed) == (2, 1)
    assert overview.environment.name == ""
