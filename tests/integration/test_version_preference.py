"""Two versions are deployed: the runs that a run waits for execute in its version, while a worker has it."""

from collections.abc import Callable

import pytest

from taskflow import Run, Task, runs
from tests.conftest import StartFleet
from tests.integration.test_stops import url
from tests.projects import waiting_tasks as tasks
from tests.support.fleet import TASKS, Fleet, Node
from tests.support.servers import RedisServer, Server
from tests.support.waiting import wait_until

FAMILIES = pytest.mark.parametrize(
    "family, executor", [(tasks.family, "process"), (tasks.async_family, "async")], ids=["process", "async"]
)


def start_versions(fleet: Fleet, executor: str, *versions: str, concurrency: int = 2) -> list[Node]:
    """Start a node of each version."""
    nodes = [
        fleet.start_node(executor=executor, concurrency=concurrency, wait=False, TASKFLOW_VERSION=version)
        for version in versions
    ]
    for node in nodes:
        fleet.wait_for(node)
    return nodes


def everyone() -> dict[str, Run]:
    """Return the newest runs."""
    return {run.id: runs.retrieve(run.id) for run in runs.list(100)}


def strays(retrieved: dict[str, Run]) -> list[tuple[str | None, str | None]]:
    """Return the versions of parents and children, where they differ."""
    pairs = [(retrieved[run.parent_id], run) for run in retrieved.values() if run.parent_id in retrieved]
    assert pairs
    return [(parent.version, child.version) for parent, child in pairs if parent.version != child.version]


@pytest.mark.timeout(90)
@FAMILIES
def test_children_execute_in_their_parents_version(
    fleet: Fleet, family: Task[tasks.Family, int], executor: str
) -> None:
    """This holds over two generations, although workers of the other version are free."""
    start_versions(fleet, executor, "1", "2", "2")
    seen: set[str | None] = set()

    def have_both_parents() -> bool:
        handles = [family.trigger(tasks.Family(children=2, depth=2, seconds=0.1)) for _ in range(8)]
        assert [handle.result(timeout=60) for handle in handles] == [7] * 8
        assert strays(everyone()) == []
        seen.update(handle.retrieve().version for handle in handles)
        return seen == {"1", "2"}

    wait_until(have_both_parents, "both versions to have parents", timeout=60)


@pytest.mark.timeout(90)
def test_a_parent_and_its_children_of_one_version_share_a_queue_of_limit_one(fleet: Fleet) -> None:
    start_versions(fleet, "process", "1", "2", concurrency=1)
    handles = [tasks.parent.trigger(tasks.Plan(values=[1, 13, 4])) for _ in range(4)]
    assert [handle.result(timeout=60) for handle in handles] == [[2, 26, 8]] * 4
    assert strays(everyone()) == []


@pytest.mark.timeout(90)
def test_nested_waits_in_a_full_node_stay_in_its_version(
    start_fleet: StartFleet, valkey: RedisServer, broker_server: Server
) -> None:
    """Its pool grows for them as for runs of any version."""
    fleet = start_fleet(valkey.url, url(valkey, broker_server), waiting_limit=1)
    start_versions(fleet, "process", "1", "2", concurrency=1)
    handles = [tasks.family.trigger(tasks.Family(children=2, depth=2)) for _ in range(2)]
    assert [handle.result(timeout=60) for handle in handles] == [7] * 2
    assert strays(everyone()) == []


@pytest.mark.timeout(90)
@pytest.mark.parametrize("end", [Node.stop, Node.kill], ids=["stopped", "killed"])
def test_children_move_when_the_last_node_of_their_version_goes(
    start_fleet: StartFleet, valkey: RedisServer, broker_server: Server, end: Callable[[Node], object]
) -> None:
    """The parent goes on in another node of its version, which cannot execute the children."""
    fleet = start_fleet(valkey.url, url(valkey, broker_server), lease=3, heartbeat=1)
    start_versions(fleet, "async", "1")
    old, _ = start_versions(fleet, "process", "1", "2", concurrency=1)
    handle = tasks.adoptive_parent.trigger(tasks.Family(children=6, seconds=0.5))
    wait_until(lambda: any(line[0] == "family" for line in fleet.ledger()), "a child to start", timeout=20)
    end(old)
    assert handle.result(timeout=30) == 6
    children = [run for run in everyone().values() if run.parent_id == handle.id]
    assert any(run.attempts[0].node.startswith(f"{old.name}@") for run in children)
    assert [run.version for run in children].count("2") >= 4
    assert handle.retrieve().version == "1"


@pytest.mark.timeout(90)
def test_a_task_that_is_new_executes_where_it_is_known(fleet: Fleet) -> None:
    """So do children of runs of the older version."""
    more = f"{TASKS},tests.projects.foreign_tasks"
    fleet.start_node(executor="async", concurrency=10, TASKFLOW_VERSION="1")
    fleet.start_node(executor="async", concurrency=10, TASKFLOW_VERSION="2", TASKFLOW_TASKS=more)

    def parents_version() -> str | None:
        handle = tasks.modern.trigger(1)
        assert handle.result(timeout=40) == "2"
        return handle.retrieve().version

    wait_until(lambda: parents_version() == "1", "the older version to have a parent", timeout=40)
