"""Reports about nodes for people: load, runs, drains, losses, and classes that no node serves."""

import json
from datetime import timedelta

import pytest

from taskflow.errors import NodeNotFoundError
from taskflow.models import AttemptOutcome
from taskflow.store import operations
from taskflow.store.operations.encoding import instant
from taskflow.store.operations.overviews.nodes import (
    NodeReports,
    Unserved,
    ask_drain,
    merged_nodes,
    read_nodes,
    read_unserved,
)
from taskflow.store.operations.waits import OpenedWait, wait_run
from tests.support.bench import CLASS, ERROR, LEASE, Bench, let_time_pass

DAY = timedelta(days=1)


def reports(bench: Bench) -> NodeReports:
    """Return the nodes."""
    return bench.run(read_nodes())


def unserved(bench: Bench) -> Unserved:
    """Return what no node serves."""
    return bench.run(read_unserved())


def test_a_node_reports_its_load_with_its_heartbeat(bench: Bench) -> None:
    """The last load stays when a heartbeat tells nothing, as those on other shards do."""
    bench.node(capacity=7)
    [node] = reports(bench).nodes
    assert (node.capacity, node.memory, node.cpu, node.classes) == (7, None, None, (CLASS,))
    assert node.up_since == node.heard_at == reports(bench).now
    bench.pass_time(2)
    load = json.dumps({"memory": 0.25, "memory_bytes": 1 << 40, "cpu": 0.5})
    bench.run(operations.nodes.heartbeat_node("n1", lease=LEASE, load=load))
    bench.pass_time(1)
    bench.beat("n1")
    [node] = reports(bench).nodes
    assert (node.memory, node.memory_bytes, node.cpu) == (0.25, 1 << 40, 0.5)
    assert reports(bench).now - node.heard_at == timedelta(seconds=1)


def test_a_node_counts_what_executes_apart_from_what_waits_in_its_memory(bench: Bench) -> None:
    bench.node()
    executing, waiting = (bench.claim(bench.trigger("q")) for _ in range(2))
    bench.run(wait_run(waiting.run_id, waiting.claim, [OpenedWait("w", 1, timedelta(hours=1))], ["w"]))
    [node] = reports(bench).nodes
    assert (node.executing, node.parked) == (1, 1)
    bench.finish(executing)
    [node] = reports(bench).nodes
    assert (node.executing, node.parked) == (0, 1)


def test_a_node_that_drains_takes_from_nothing_and_names_who_asked(bench: Bench) -> None:
    """The message comes through its inbox; the node drains when it acts on it."""
    bench.node()
    bench.run(ask_drain("n1", "ann@desk"))
    [message] = bench.run(operations.nodes.heartbeat_node("n1", lease=LEASE))
    assert (message.kind, message.run_id, message.claim) == ("drain", "", 0)
    [node] = reports(bench).nodes
    assert (node.draining_at, node.drained_by) == (None, "ann@desk")
    bench.run(operations.nodes.drain_node("n1"))
    since = reports(bench).now
    bench.pass_time(1)
    bench.run(operations.nodes.drain_node("n1"))
    [node] = reports(bench).nodes
    assert (node.draining_at, node.queues) == (since, ())


def test_a_node_that_is_not_up_is_not_asked(bench: Bench) -> None:
    bench.node()
    bench.pass_time(LEASE.total_seconds() + 1)
    for name in ("n1", "<script>alert(1)</script>"):
        with pytest.raises(NodeNotFoundError):
            bench.run(ask_drain(name, "ann"))
    assert bench.redis("EXISTS", bench.key("node:n1:inbox")) == 0
    bench.run(operations.nodes.drain_node("unknown"))
    assert bench.redis("EXISTS", bench.key("node:unknown")) == 0


def test_a_node_that_fell_silent_is_kept_for_a_day_with_what_it_executed(bench: Bench) -> None:
    """One that left in good order is not: nothing was lost."""
    for name in ("n1", "n2", "n3"):
        bench.node(name)
    bench.claim(bench.trigger("q"), "n1")
    bench.run(operations.nodes.heartbeat_node("n1", lease=LEASE, load="{}"))
    heard = reports(bench).now
    bench.run(operations.nodes.unregister_node("n3", AttemptOutcome.INTERRUPTED, ERROR))
    let_time_pass(bench, "n2", turns=10)
    found = reports(bench)
    assert [node.id for node in found.nodes] == ["n2"]
    [lost] = found.lost
    assert (lost.id, lost.runs, lost.heard_at) == ("n1", 1, heard)
    assert lost.lost_at > heard
    bench.pass_time(DAY.total_seconds() + 60)
    assert reports(bench).lost == ()


def test_what_is_kept_of_a_lost_node_is_short(bench: Bench) -> None:
    """Its tasks may have faults of any length, and 200 nodes are kept."""
    description: dict[str, object] = {"host": "pluto", "version": "v1", "faults": {"t": "x" * 100_000}}
    bench.run(
        operations.nodes.register_node(
            "n1", lease=LEASE, queues=["q"], capacity=1, classes=[CLASS], description=description, tasks=["t"]
        )
    )
    bench.run(operations.nodes.unregister_node("n1", AttemptOutcome.LOST, ERROR))
    [lost] = reports(bench).lost
    assert (lost.host, lost.version) == ("pluto", "v1")
    [kept] = bench.redis("ZRANGE", bench.key("lost_nodes"), 0, -1)
    assert len(kept) < 1000


def test_a_node_whose_process_died_is_lost_with_all_its_runs(bench: Bench) -> None:
    """A node of the same host ends its lease, some runs at a time."""
    bench.node(capacity=500)
    for _ in range(3):
        bench.claim(bench.trigger("q"))
    while bench.run(operations.nodes.unregister_node("n1", AttemptOutcome.LOST, ERROR)):
        continue
    [lost] = reports(bench).lost
    assert (lost.id, lost.runs) == ("n1", 3)


def test_the_same_node_on_several_shards_is_one(bench: Bench) -> None:
    bench.node()
    bench.claim(bench.trigger("q"))
    found = reports(bench)
    merged = merged_nodes([found, found])
    [node] = merged.nodes
    assert (node.executing, node.capacity) == (2, 10)


@pytest.mark.parametrize("limit", [None, 5])
def test_runs_of_a_class_that_no_node_serves_are_named(bench: Bench, limit: int | None) -> None:
    bench.node()
    for _ in range(3):
        bench.trigger("q", limit=limit, class_name="large-2x.process")
    bench.trigger("q", limit=limit)
    found = unserved(bench)
    if limit:
        assert (found.classes, found.celery_queues) == ({"large-2x.process": 3}, {})
    else:
        assert (found.classes, found.celery_queues) == ({}, {f"{bench.config.environment}.large-2x.process": 3})
    bench.node("n2", class_name="large-2x.process")
    assert unserved(bench).is_nothing


def test_runs_of_a_task_that_no_worker_has_registered_are_named(bench: Bench) -> None:
    """Its name leaves with the last of them, whether it was canceled or has started."""
    bench.node()
    first, second = (bench.trigger("task/new", task_id="new", doubts="task", patience=DAY) for _ in range(2))
    assert unserved(bench).tasks == {"new": 2}
    bench.run(operations.runs.cancel_run(first, ERROR))
    assert unserved(bench).tasks == {"new": 1}
    bench.run(operations.runs.cancel_run(second, ERROR))
    assert unserved(bench).is_nothing
    assert bench.redis("EXISTS", bench.key("awaited")) == 0


def test_an_instant_of_a_node_is_the_stores(bench: Bench) -> None:
    """The page counts from the store's now, so that a browser's clock does not matter."""
    bench.node()
    assert reports(bench).now == instant(bench.now[0] // 1000)
