"""The nodes that serve the tasks on a host."""

from itertools import count

import pytest

from taskflow.definition.machine import PRESETS
from taskflow.errors import DefinitionError
from taskflow.worker.launch.plan import Demand, Plan, PlanError, WorkerOptions, fitting, plan_nodes, shown
from taskflow.worker.node.host import Host

GB = 1024**3
HOST = Host(cores=4, memory=16 * GB)
HELLO = Demand("small-1x", "process", "task/hello")
FETCH = Demand("small-1x", "async", "task/fetch")
HEAVY = Demand("large-1x", "process", "task/heavy")
ONE = Demand("small-1x", "process", "invoices", limit=1)


def plan(
    *demands: Demand,
    host: Host = HOST,
    machines: tuple[str, ...] = (),
    queues: tuple[str, ...] = (),
    concurrency: int | None = None,
) -> Plan:
    """Plan the nodes of an app in the module ``shop``, environment ``dev``, named n1, n2, ..."""
    numbers = count(1)
    options = WorkerOptions("shop", "dev", machines, queues, concurrency, async_concurrency=500)
    return plan_nodes(demands, host, options, unique=lambda: f"n{next(numbers)}")


def test_a_process_node_is_started_by_an_exact_celery_command() -> None:
    """``--show`` prints it, and it must work by itself."""
    [node] = plan(HELLO).nodes
    assert shown(node) == (
        "celery -A shop worker -Q dev.small-1x.process,dev.small-1x.process@ -c 8 -n dev.small-1x.process-n1@%h "
        "-P prefork -O fair --without-gossip --without-mingle --loglevel INFO"
    )
    assert node.env == {}


def test_an_async_node_names_its_pool_in_its_environment() -> None:
    """Celery reads a pool of one's own from an environment variable only."""
    [node] = plan(FETCH).nodes
    assert shown(node) == (
        "CELERY_CUSTOM_WORKER_POOL=taskflow.worker.coroutines.pool:AsyncPool "
        "celery -A shop worker -Q dev.small-1x.async -c 500 -n dev.small-1x.async-n1@%h -P custom "
        "--without-gossip --without-mingle --loglevel INFO"
    )


def test_only_machines_and_executors_in_use_get_nodes() -> None:
    """An idle node costs 75 MB."""
    nodes = plan(HEAVY, HELLO, FETCH, ONE, machines=("all",)).nodes
    assert [(node.machine.name, node.executor, node.queues) for node in nodes] == [
        ("small-1x", "process", ("dev.small-1x.process", "dev.small-1x.process@")),
        ("small-1x", "async", ("dev.small-1x.async",)),
        ("large-1x", "process", ("dev.large-1x.process", "dev.large-1x.process@")),
    ]


def test_a_machine_that_runs_move_to_out_of_memory_is_in_use() -> None:
    """A run moved there would wait for ever."""
    nodes = plan(Demand("small-1x", "process", "task/a", larger="large-1x")).nodes
    assert [node.machine.name for node in nodes] == ["small-1x", "large-1x"]


@pytest.mark.parametrize(
    "machine, host, expected",
    [
        ("small-1x", Host(4, 16 * GB), 8),
        ("small-1x", Host(4, 1 * GB), 2),
        ("medium-1x", Host(1.5, 16 * GB), 1),
        ("micro", Host(2, 24 * GB), 8),
        ("large-2x", Host(1, GB), 1),
    ],
)
def test_as_many_runs_as_machines_fit_the_host(machine: str, host: Host, expected: int) -> None:
    """The scarcer of cores and memory decides; one run is always possible."""
    assert fitting(PRESETS[machine], host) == expected


def test_a_concurrency_of_the_users_own_wins() -> None:
    """For shared nodes of both executors; a queue's node keeps its limit."""
    nodes = plan(HELLO, FETCH, ONE, queues=("invoices",), concurrency=3).nodes
    assert [node.concurrency for node in nodes] == [3, 3, 1]


def test_a_queue_gets_a_node_of_its_own_with_its_limit() -> None:
    """It consumes the queue's dedicated Celery queue and nothing else."""
    *_, node = plan(HELLO, ONE, queues=("invoices", "invoices")).nodes
    assert (node.queue, node.queues, node.concurrency) == (
        "invoices",
        ("dev.small-1x.process.invoices", "dev.small-1x.process.invoices@"),
        1,
    )
    assert "-c 1 -n dev.small-1x.process.invoices-n2@%h" in shown(node)


def test_a_queue_of_two_classes_gets_a_node_for_each() -> None:
    """Runs of both wait in the queue, and no node executes both."""
    nodes = plan(ONE, Demand("large-1x", "process", "invoices", limit=1), queues=("invoices",)).nodes
    assert [node.machine.name for node in nodes if node.queue] == ["small-1x", "large-1x"]


def test_an_unknown_queue_is_refused_with_its_near_miss() -> None:
    """A misspelt queue would start a node that never gets a run."""
    with pytest.raises(PlanError, match=r"No declared task uses queue 'invoice'. Did you mean 'invoices'\?"):
        plan(ONE, queues=("invoice",))


def test_a_queue_without_a_limit_has_no_node_of_its_own() -> None:
    """Its runs go through the shared Celery queue."""
    with pytest.raises(PlanError, match="no concurrency limit"):
        plan(HELLO, queues=("task/hello",))


def test_a_queue_of_machines_that_were_not_chosen_is_refused() -> None:
    """The message says which machine to add."""
    with pytest.raises(PlanError, match="Add --machine small-1x"):
        plan(ONE, HEAVY, machines=("large-1x",), queues=("invoices",))


def test_an_unknown_machine_is_refused_with_its_near_miss() -> None:
    """As in the decorator."""
    with pytest.raises(DefinitionError, match="Did you mean 'small-1x'"):
        plan(HELLO, machines=("smal-1x",))


def test_a_machine_that_no_task_uses_serves_both_executors_with_a_warning() -> None:
    """Runs may be triggered with ``machine=``; a misunderstanding is more likely."""
    planned = plan(HELLO, machines=("large-1x",), host=Host(4, 8 * GB))
    assert [node.executor for node in planned.nodes] == ["process", "async"]
    [warning] = planned.warnings
    assert "No declared task uses machine 'large-1x'" in warning
    assert "Tasks use small-1x." in warning


def test_a_machine_larger_than_the_host_is_warned_of() -> None:
    """It still takes one run at a time: development happens on small hosts."""
    planned = plan(HEAVY, host=Host(2, 4 * GB))
    assert planned.nodes[0].concurrency == 1
    assert planned.warnings == ("Machine 'large-1x' (4 vCPU, 8 GB) is larger than this host (2 cores, 4.0 GB).",)


def test_nothing_declared_is_nothing_to_serve() -> None:
    """A worker without tasks is a forgotten module."""
    with pytest.raises(PlanError, match="TASKFLOW_TASKS"):
        plan()
