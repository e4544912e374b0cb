"""The version that a run prefers: that of the run which waits for it, while a node of it takes from the run's queue."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from taskflow.models import AttemptOutcome, RunStatus
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.version_names import code_name, version_name
from taskflow.store.operations.waits import OpenedWait, wait_run
from taskflow.store.sync_store import Store
from tests.support.bench import CLASS, ERROR, LEASE, Bench, make_bench
from tests.support.servers import RedisServer

ASYNC = "small-1x.async"
LIMITS = pytest.mark.parametrize("limit", [None, 2], ids=["unlimited", "limited"])


@pytest.fixture(params=[CLASS, ASYNC], ids=["process", "async"])
def class_name(request: pytest.FixtureRequest) -> str:
    """Each kind of node. Only those of processes have a queue for what runs of any version wait for."""
    return str(request.param)


def start(bench: Bench, name: str, version: str, class_name: str = CLASS, **more: Any) -> str:
    """Register a node of a version, as nodes do."""
    return bench.node(name, class_name=class_name, version=version, subtasks=class_name == CLASS, **more)


def ordinary(bench: Bench, class_name: str = CLASS) -> str:
    """Return the Celery queue that a class shares."""
    return f"{bench.config.environment}.{class_name}"


def subtasks(bench: Bench, class_name: str = CLASS) -> str:
    """Return the Celery queue for runs that others wait for, whatever their version."""
    return f"{ordinary(bench, class_name)}@" if class_name == CLASS else ordinary(bench, class_name)


def preferred(bench: Bench, version: str, class_name: str = CLASS, tasks: tuple[str, ...] = ("t",)) -> str:
    """Return the Celery queue of a version's nodes."""
    return f"{ordinary(bench, class_name)}@{code_name(version, tasks)}"


def waiting(bench: Bench, class_name: str = CLASS, node: str = "n1") -> ClaimedRun:
    """Let a run wait on a node for nine others."""
    parent = bench.claim(bench.trigger("parents", class_name=class_name), node)
    bench.run(wait_run(parent.run_id, parent.claim, [OpenedWait("w", 9)], ["w"]))
    return parent


def child(bench: Bench, parent: ClaimedRun, version: str = "1", class_name: str = CLASS, **more: Any) -> str:
    """Trigger a run that a run of a version waits for."""
    queue = more.pop("queue", "children")
    waiter = Waiter(parent.run_id, "w")
    return bench.trigger(queue, class_name=class_name, waiter=waiter, prefers=version, **more)


def leave(bench: Bench, node: str) -> None:
    """A node ends."""
    bench.run(operations.nodes.unregister_node(node, AttemptOutcome.INTERRUPTED, ERROR))


def drain(bench: Bench, node: str) -> None:
    """A node is asked to stop, and still executes."""
    bench.run(operations.nodes.drain_node(node))


def die(bench: Bench, node: str) -> None:
    """A node's lease ends."""
    others = [name for name in bench.run(operations.nodes.list_nodes()) if name != node]
    bench.upkeep()
    for _ in range(5):
        bench.pass_time(2.5)
        for other in others:
            bench.run(operations.nodes.heartbeat_node(other, lease=LEASE))
        bench.upkeep()


def leftovers(bench: Bench) -> set[str]:
    """Return the keys of versions, and of reservations."""
    kinds = ("versions", "knows", "deserted", "suspects", "tickets", "unclaimed", "queue:*:pending", "queue:*:count")
    return {str(key) for kind in kinds for key in bench.client.keys(bench.key(f"{kind}*"))}


@LIMITS
def test_a_child_goes_to_its_parents_version(bench: Bench, class_name: str, limit: int | None) -> None:
    """Each try of it."""
    for name in ("1", "2"):
        start(bench, f"n{name}", name, class_name)
    parent = waiting(bench, class_name)
    for version in ("1", "2"):
        run_id = child(bench, parent, version, class_name, limit=limit)
        assert bench.field(run_id, "ticket") == preferred(bench, version, class_name)
        bench.give_up(bench.claim(run_id, f"n{version}"))
        assert bench.field(run_id, "ticket") == preferred(bench, version, class_name)
        bench.finish(bench.claim(run_id, f"n{version}"))
    alone = bench.trigger("children", class_name=class_name, limit=limit)
    assert bench.field(alone, "ticket") == ordinary(bench, class_name)


@LIMITS
def test_a_version_without_a_node_is_not_waited_for(bench: Bench, class_name: str, limit: int | None) -> None:
    start(bench, "n1", "1", class_name)
    parent = waiting(bench, class_name)
    run_id = child(bench, parent, "3", class_name, limit=limit)
    assert bench.field(run_id, "ticket") == subtasks(bench, class_name)


@LIMITS
@pytest.mark.parametrize("end", [leave, drain, die])
def test_a_child_moves_when_its_versions_last_node_goes(
    bench: Bench, class_name: str, limit: int | None, end: Callable[[Bench, str], None]
) -> None:
    """Not before: any node of the version will do."""
    for name, version in (("n1", "1"), ("n2", "2"), ("n3", "1")):
        start(bench, name, version, class_name)
    parent = waiting(bench, class_name, "n2")
    run_ids = [child(bench, parent, "1", class_name, limit=limit) for _ in range(4)]
    held = [run_id for run_id in run_ids if bench.field(run_id, "ticket")]
    assert len(held) == (limit or 4)
    end(bench, "n1")
    bench.upkeep()
    assert {bench.field(run_id, "ticket") for run_id in held} == {preferred(bench, "1", class_name)}
    end(bench, "n3")
    bench.upkeep()
    assert {bench.field(run_id, "ticket") for run_id in held} == {subtasks(bench, class_name)}
    for run_id in run_ids:
        bench.finish(bench.claim(run_id, "n2"))
    assert bench.status(run_ids[-1]) is RunStatus.COMPLETED
    if end is not drain:
        assert {key for key in leftovers(bench) if "@1" in key or "deserted" in key} == set()


def test_a_version_that_comes_back_is_preferred_again(bench: Bench) -> None:
    for name in ("1", "2"):
        start(bench, f"n{name}", name)
    parent = waiting(bench, node="n2")
    leave(bench, "n1")
    assert bench.field(child(bench, parent), "ticket") == subtasks(bench)
    start(bench, "n3", "1")
    assert bench.field(child(bench, parent), "ticket") == preferred(bench, "1")


@LIMITS
def test_a_task_that_the_version_does_not_know_goes_elsewhere(bench: Bench, limit: int | None) -> None:
    """Two of its nodes declare different tasks, and none the one that is new in version 2."""
    start(bench, "n1", "1", tasks=("t", "u"))
    start(bench, "n3", "1", tasks=("t", "v"))
    start(bench, "n2", "2", tasks=("t", "u", "v", "new"))
    parent = waiting(bench)
    for task, queue in (
        ("u", preferred(bench, "1", tasks=("t", "u"))),
        ("v", preferred(bench, "1", tasks=("v", "t"))),
        ("new", subtasks(bench)),
    ):
        assert bench.field(child(bench, parent, limit=limit, queue=task, task_id=task), "ticket") == queue


def test_children_of_one_queue_do_not_stand_behind_those_of_a_busy_version(bench: Bench) -> None:
    """Version 1 has unclaimed reservations for twice its capacity; those of version 2 start."""
    start(bench, "n1", "1", capacity=1)
    start(bench, "n2", "2", capacity=1)
    parent = waiting(bench)
    first = [child(bench, parent, limit=10) for _ in range(4)]
    second = child(bench, parent, "2", limit=10)
    assert [bench.field(run_id, "ticket") for run_id in first] == [preferred(bench, "1")] * 2 + [""] * 2
    assert bench.field(second, "ticket") == preferred(bench, "2")
    for run_id in first:
        bench.finish(bench.claim(run_id))
    bench.run(operations.runs.cancel_run(second, ERROR))
    assert not bench.client.keys(bench.key("queue:children:pending:*"))


def test_a_canceled_child_leaves_the_order_of_its_version(bench: Bench) -> None:
    start(bench, "n1", "1")
    parent = waiting(bench)
    first, second, third = (child(bench, parent, limit=1) for _ in range(3))
    bench.run(operations.runs.cancel_run(second, ERROR))
    bench.finish(bench.claim(first))
    bench.finish(bench.claim(third))
    assert not bench.client.keys(bench.key("queue:children:pending:*"))


def test_a_child_of_a_queue_with_nodes_of_its_own_goes_to_those_of_its_version(bench: Bench) -> None:
    """Else to the version's shared ones, before any other's."""
    start(bench, "n1", "1")
    parent = waiting(bench)
    start(bench, "n2", "2", queue="children")
    first = child(bench, parent, limit=4)
    start(bench, "n3", "1", queue="children")
    second = child(bench, parent, limit=4)
    dedicated = f"{ordinary(bench)}.children@{code_name('1', ['t'])}"
    assert [bench.field(run_id, "ticket") for run_id in (first, second)] == [preferred(bench, "1"), dedicated]


def test_an_older_run_that_is_waited_for_from_now_on_keeps_to_no_version(bench: Bench) -> None:
    """Its idempotency key led to it; it may be of another version already."""
    start(bench, "n1", "1")
    parent = waiting(bench)
    older = bench.trigger("children", idempotency_key="one")
    assert child(bench, parent, idempotency_key="one") == older
    assert bench.field(older, "ticket") == subtasks(bench)


def test_a_node_full_of_waiting_runs_takes_children_of_its_version(bench: Bench) -> None:
    start(bench, "n1", "1")
    parent = waiting(bench)
    bench.run(operations.nodes.serve_queues("n1", [ordinary(bench)], capacity=0, classes=[CLASS]))
    older = bench.trigger("children", limit=1)
    run_id = child(bench, parent, limit=1)
    assert bench.field(older, "ticket") == ""
    assert bench.field(run_id, "ticket") == preferred(bench, "1")
    bench.finish(bench.claim(run_id))


def test_any_text_may_be_a_version(bench: Bench) -> None:
    """It stands in keys, where colons separate parts, and in Celery queues, where "@" and dots mean something."""
    versions = ["release/2024:1 @x.y", "é" * 40, "a" * 40 + "1", "a" * 40 + "2", "1.2.3"]
    assert len({version_name(version) for version in versions}) == len(versions)
    for number, version in enumerate(versions):
        assert len(version_name(version)) <= 32
        assert not set(version_name(version)) & set(":@, #")
        name = start(bench, f"n{number}", version)
        run_id = child(bench, waiting(bench, node=name), version, limit=2, concurrency_key="k")
        assert bench.field(run_id, "ticket") == preferred(bench, version)
        bench.finish(bench.claim(run_id, name))


@pytest.fixture
def pushing(valkey: RedisServer) -> Iterator[Bench]:
    """A bench whose scripts push tickets themselves."""
    for bench in make_bench(valkey):
        with closing(Store(replace(bench.config, push_prefix=""), bench, bench.ended.extend)) as store:
            bench.store = store
            yield bench


def test_the_tickets_of_a_version_that_is_gone_are_gone(pushing: Bench) -> None:
    """Nobody would ever take them from its list."""
    bench = pushing
    bench.redis("HSET", bench.key("templates"), "t", "@RUN@")
    for name in ("1", "2"):
        start(bench, f"n{name}", name)
    parent = waiting(bench, node="n2")
    run_ids: list[str] = []
    for _ in range(3):
        run_ids.append(child(bench, parent))
        bench.pass_time(0.001)
    assert bench.redis("LLEN", preferred(bench, "1")) == 3
    leave(bench, "n1")
    bench.upkeep()
    assert not bench.redis("EXISTS", preferred(bench, "1"))
    assert bench.redis("LRANGE", subtasks(bench), 0, -1) == run_ids[::-1]
