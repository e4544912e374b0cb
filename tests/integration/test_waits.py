"""Runs that wait, on real nodes of both kinds, with the store and with RabbitMQ as broker."""

import pytest

from taskflow import RunStatus, Task, runs
from tests.projects import waiting_tasks as tasks
from tests.support.fleet import Fleet
from tests.support.waiting import wait_until


@pytest.fixture
def waiting_fleet(fleet: Fleet) -> Fleet:
    """Nodes for children and parents."""
    fleet.start_node(concurrency=2, wait=False)
    fleet.start_node(executor="async", concurrency=10, wait=False)
    for node in fleet.nodes:
        fleet.wait_for(node)
    return fleet


PARENTS = pytest.mark.parametrize("parent", [tasks.parent, tasks.async_parent], ids=["process", "async"])


@pytest.mark.timeout(60)
@PARENTS
def test_a_parent_and_its_children_share_a_queue_of_limit_one(
    waiting_fleet: Fleet, parent: Task[tasks.Plan, list[int]]
) -> None:
    """Results are typed and in order, failed ones among them. Retries of a child do not end the parent's wait."""
    handle = parent.trigger(tasks.Plan(values=[1, 13, -4, 5]))
    assert handle.result(timeout=30) == [2, 26, -1, 10]
    assert len(handle.retrieve().attempts) == 1
    assert handle.retrieve().metadata == {"done": 4}


@pytest.mark.timeout(60)
def test_a_batch_is_waited_for_as_a_whole(waiting_fleet: Fleet) -> None:
    """An item that is wrong has an error in its place."""
    handle = tasks.batch_parent.trigger(tasks.Plan(values=[3, -1, 8]))
    assert handle.result(timeout=30) == ["6", "FAILED", "16", "FAILED"]


@pytest.mark.timeout(60)
def test_time_is_waited_for_without_counting_as_computing(waiting_fleet: Fleet) -> None:
    """The tasks may compute for 3 s, and wait for more than 5 s."""
    handles = [tasks.sleeper.trigger(5.2), tasks.async_sleeper.trigger(5.2)]
    wait_until(lambda: {handle.status() for handle in handles} == {RunStatus.WAITING}, "both to wait", timeout=20)
    for handle in handles:
        assert 5.2 <= handle.result(timeout=20) < 8


@pytest.mark.timeout(60)
def test_hooks_surround_a_wait(waiting_fleet: Fleet) -> None:
    """They get the reason of the wait."""
    assert tasks.hooked_parent.trigger(4).result(timeout=30) == 8
    hooks = [line for line in waiting_fleet.ledger() if line[0].startswith("on_")]
    assert hooks == [["on_wait", "task", "1"], ["on_resume", "task", "1"]]


@pytest.mark.timeout(60)
def test_a_wait_that_its_code_gives_up_leaves_no_trace(waiting_fleet: Fleet) -> None:
    """A timeout in the code ends the wait. The run goes on under a claim and with a slot."""
    assert tasks.impatient.trigger(0.2).result(timeout=30) == "gave up"
    assert tasks.retrying.trigger(0).result(timeout=30) == 8


@pytest.mark.timeout(60)
@PARENTS
def test_a_canceled_parent_takes_its_children_along(fleet: Fleet, parent: Task[tasks.Plan, list[int]]) -> None:
    """They are canceled at once, although the parent waits for a child that no node can start."""
    fleet.start_node(executor="async" if parent is tasks.async_parent else "process", concurrency=1)
    runs_before = {run.id for run in runs.list(100)}
    handle = parent.trigger(tasks.Plan(values=[1]))
    wait_until(lambda: handle.status() is RunStatus.WAITING, "the parent to wait", timeout=20)
    assert handle.cancel()
    assert handle.status() is RunStatus.CANCELED
    children = [run for run in runs.list(100) if run.id not in runs_before and run.parent_id == handle.id]
    assert [run.status for run in children] == [RunStatus.CANCELED]


@pytest.mark.timeout(60)
def test_an_expired_child_is_an_error_result(fleet: Fleet) -> None:
    """No node executes the child, because its class has none."""
    fleet.start_node(executor="async")
    handle = tasks.async_parent.trigger(tasks.Plan(values=[1], ttl=0.3))
    assert handle.result(timeout=30) == [-1]


@pytest.mark.timeout(60)
def test_two_parents_wait_for_one_child(waiting_fleet: Fleet) -> None:
    """They use one idempotency key within a run, so the second wait finds the run of the first."""
    handle = tasks.async_parent.trigger(tasks.Plan(values=[2, 2, 2], key="one"))
    assert handle.result(timeout=30) == [4, 4, 4]
    assert len({line[1] for line in waiting_fleet.ledger() if line[0] == "child"}) == 1


@pytest.mark.timeout(60)
def test_a_waiting_run_takes_no_place_of_its_node(fleet: Fleet) -> None:
    """Three runs wait in a node that executes one run at a time."""
    fleet.start_node(executor="async", concurrency=1)
    handles = [tasks.async_sleeper.trigger(5.5) for _ in range(3)]
    wait_until(lambda: {handle.status() for handle in handles} == {RunStatus.WAITING}, "all to wait", timeout=4)
    ends = [handle.result(timeout=20) for handle in handles]
    assert all(5.5 <= end < 9 for end in ends)
