"""Tasks that use processes or change their own process: neither reaches the node or later runs."""

import multiprocessing
from typing import Any

import psutil
import pytest

from tests.conftest import StartFleet
from tests.projects import process_tasks as tasks
from tests.support.fleet import TASKS, Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

WITH_PROCESSES = f"{TASKS},tests.projects.process_tasks"


@pytest.fixture
def fleet(start_fleet: StartFleet, valkey: RedisServer) -> Fleet:
    return start_fleet(valkey.url, lease=3, heartbeat=0.5)


def messages(fleet: Fleet, run_id: str) -> list[str]:
    """Return the messages of a run's log lines."""
    return [line.message for line in fleet.flow.engine.logs.lines(run_id)]


def is_running(pid: int) -> bool:
    """Whether there is a process that has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.interpreter
@pytest.mark.timeout(90)
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_task_may_use_multiprocessing(fleet: Fleet, method: str) -> None:
    """Pools, executors, managers and nested processes, however they are started. What they print is kept."""
    fleet.start_node(concurrency=1, TASKFLOW_TASKS=WITH_PROCESSES)
    handles = [tasks.uses_multiprocessing.trigger(method) for _ in range(2)]
    for handle in handles:
        assert handle.result(timeout=60) == [20, 20, 8, 2, 1]
        assert sorted(messages(fleet, handle.id)) == ["doubled 1", "doubled 4"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("way", ["process", "pool", "program", "orphan"])
def test_what_a_task_leaves_running_ends_with_its_run(fleet: Fleet, way: str) -> None:
    """The run says so, the next run of the same child is undisturbed, and no line of it is another's."""
    fleet.start_node(concurrency=1, TASKFLOW_TASKS=WITH_PROCESSES)
    before = tasks.next_run.trigger(0).result(timeout=20)
    handle = tasks.leaves_processes.trigger(way)
    left: Any = handle.result(timeout=20)
    assert left
    assert not any(map(is_running, left))
    (said,) = [line for line in messages(fleet, handle.id) if line != "still here"]
    assert all(str(pid) in said for pid in left)
    after = tasks.next_run.trigger(0.3)
    assert after.result(timeout=20) == before
    assert messages(fleet, after.id) == []
    wait_until(lambda: not psutil.Process(before).children(), "the child to have no processes")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("way", ["returns", "raises", "exits", "says why"])
def test_only_the_process_that_the_node_started_speaks_for_a_run(fleet: Fleet, way: str) -> None:
    """A fork that leaves the function ends. It reads no jobs, so a later death of the child is noticed."""
    fleet.start_node(concurrency=2, TASKFLOW_TASKS=WITH_PROCESSES)
    handle = tasks.forks.trigger(way)
    assert handle.result(timeout=20) == "parent"
    run = handle.retrieve()
    assert run.metadata == {"forks": 1, "parents": 1}
    wait_until(lambda: fleet.ledger() == [["next"]] * 2, "the runs that parent and fork have triggered")
    said = messages(fleet, handle.id)
    expected = {"logged by the fork", "printed by the fork", "logged by the parent", "printed by the parent"}
    assert expected <= set(said)
    assert ("LookupError: in the fork" in said, "no good" in said) == (way == "raises", way == "says why")
    assert tasks.dies.trigger(None).result(timeout=20)
    assert tasks.next_run.trigger(0).result(timeout=20)


@pytest.mark.timeout(60)
def test_a_fork_cannot_wait_for_its_run(fleet: Fleet) -> None:
    """Its claim is that of its parent, which goes on."""
    fleet.start_node(concurrency=1, TASKFLOW_TASKS=WITH_PROCESSES)
    assert tasks.waits_in_fork.trigger(None).result(timeout=20) == 7


@pytest.mark.timeout(60)
def test_a_fork_of_a_coroutine_does_not_go_on_as_a_second_node(fleet: Fleet) -> None:
    """Its node has other runs, which the fork must not touch."""
    node = fleet.start_node(executor="async", concurrency=20, TASKFLOW_TASKS=WITH_PROCESSES)
    ways = ["returns", "raises", "exits", "awaits"]
    handles = [tasks.aforks.trigger(way) for way in ways * 3]
    for handle in handles:
        assert handle.result(timeout=20) == "parent"
        assert len(handle.retrieve().attempts) == 1
    assert fleet.ledger() == [["fork"]] * 9
    assert node.stop() == 0


@pytest.mark.interpreter
@pytest.mark.timeout(120)
def test_what_a_run_changes_of_its_process_is_put_back(fleet: Fleet) -> None:
    """All runs execute in one child. No line of a later run is lost, neither from its log nor from the worker's."""
    node = fleet.start_node(concurrency=1, TASKFLOW_TASKS=WITH_PROCESSES)
    for part in tasks.CHANGES:
        before = tasks.looks.trigger(part).result(timeout=20)
        assert tasks.changes.trigger(part).result(timeout=20) != before, part
        after = tasks.looks.trigger(part)
        assert after.result(timeout=20) == before, part
        assert messages(fleet, after.id) == [f"looks at {part}", "so do others"]
        shown = f"looks at {part}"
        wait_until(lambda shown=shown: node.output().count(shown) == 2, shown)  # type: ignore[misc] # of the lambda
    assert node.output().count("so do others") == 2 * len(tasks.CHANGES)
    assert "child.ended" not in node.output()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", ["SIGTERM", "mask"])
def test_a_cancel_runs_the_finally_of_a_run_whatever_an_earlier_run_did_to_signals(fleet: Fleet, part: str) -> None:
    """A handler that an earlier run has left would end the process without a word."""
    fleet.start_node(concurrency=1, TASKFLOW_TASKS=WITH_PROCESSES)
    tasks.changes.trigger(part).result(timeout=20)
    cancel(fleet, part)


def cancel(fleet: Fleet, name: str) -> None:
    """Cancel a run, whose code must get to its ``finally``."""
    handle = tasks.cleans_up.trigger(name)
    wait_until(lambda: ["waits", name] in fleet.ledger(), "the run to execute")
    handle.cancel()
    wait_until(lambda: ["left", name] in fleet.ledger(), "the run's finally")


@pytest.mark.timeout(60)
def test_a_cancel_reaches_the_code_of_a_run_with_threads(fleet: Fleet) -> None:
    """The node stops the child to look at it, and any thread of a stopped process may take a signal to the process."""
    fleet.start_node(concurrency=1, TASKFLOW_TASKS=WITH_PROCESSES)
    for number in range(8):
        cancel(fleet, str(number))
