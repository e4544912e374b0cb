"""The plan of the Celery nodes that serve the declared tasks on a host. Nothing is started or read from outside."""

import secrets
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from typing import Final, Self

from taskflow.broker.queues import dedicated_queue, shared_queue, subtask_queue
from taskflow.definition.machine import PRESETS, MachineSpec, resolve_machine
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import TaskflowError
from taskflow.suggestions import did_you_mean
from taskflow.worker.node.host import Host

ALL: Final = "all"
EXECUTORS: Final = ("process", "async")
_POOL_VARIABLE: Final = "CELERY_CUSTOM_WORKER_POOL"
_ASYNC_POOL: Final = "taskflow.worker.coroutines.pool:AsyncPool"


class PlanError(TaskflowError):
    """``taskflow worker`` was asked for something impossible. The message names what is possible."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The needs of one declared task.

    Attributes:
        larger: The machine it moves to when it runs out of memory, None when it does not move.
    """

    machine: str
    executor: str
    queue: str
    limit: int | None = None
    larger: str | None = None

    @classmethod
    def of(cls, definition: TaskDefinition) -> Self:
        """Return the demand of a declared task."""
        larger = definition.retry.out_of_memory
        return cls(
            machine=definition.machine.name,
            executor=definition.executor,
            queue=definition.queue_name,
            limit=definition.queue.concurrency_limit,
            larger=larger,
        )


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """The options that the user of ``taskflow worker`` chose.

    Attributes:
        app: The Celery app's module, for ``celery -A``.
        machines: Machine names. ``all`` or no name means those that declared tasks use.
        queues: taskflow queues with a limit that get nodes of their own.
        concurrency: Runs at a time in each shared node, instead of what fits the host.
        async_concurrency: Runs at a time in a shared async node when ``concurrency`` is None.
    """

    app: str
    environment: str
    machines: Sequence[str] = ()
    queues: Sequence[str] = ()
    concurrency: int | None = None
    async_concurrency: int = 1000
    loglevel: str = "INFO"


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One Celery node: its queues, its concurrency and its command.

    Attributes:
        name: Its short name, unique on this host at this start.
        queue: The taskflow queue it is dedicated to, None for a shared node.
        queues: The Celery queues that it consumes, for processes also the one for runs that others wait for. The node
            itself adds those of its version.
        command: ``celery -A … worker …``; needs ``env`` on top of the environment.
    """

    name: str
    machine: MachineSpec
    executor: str
    queue: str | None
    queues: tuple[str, ...]
    concurrency: int
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Plan:
    """The nodes, shared ones first, and warnings for the user."""

    nodes: tuple[NodePlan, ...]
    warnings: tuple[str, ...]


def plan_nodes(
    demands: Iterable[Demand],
    host: Host,
    options: WorkerOptions,
    presets: Mapping[str, MachineSpec] = PRESETS,
    unique: Callable[[], str] = lambda: secrets.token_hex(3),
) -> Plan:
    """Plan the nodes of one ``taskflow worker``.

    Raises:
        PlanError: A queue is unknown, has no limit, or belongs to machines that were not chosen.
        DefinitionError: There is no such machine.
    """
    demands = tuple(demands)
    machines = _chosen(demands, options, presets)
    nodes: list[NodePlan] = []
    warnings: list[str] = []
    for machine in machines:
        warnings += _doubts(machine, demands, host)
        for executor in _executors(machine.name, demands):
            size = options.concurrency or (
                fitting(machine, host) if executor == "process" else options.async_concurrency
            )
            nodes.append(_node(options, machine, executor, None, size, unique()))
    for queue in dict.fromkeys(options.queues):
        limit, classes = _dedicated(queue, demands, machines)
        nodes += [_node(options, machine, executor, queue, limit, unique()) for machine, executor in classes]
    return Plan(tuple(nodes), tuple(warnings))


def fitting(machine: MachineSpec, host: Host) -> int:
    """Return how many such machines the host has room for, at least 1."""
    return max(1, floor(min(host.cores / machine.cpu, host.memory / machine.memory_bytes)))


def shown(node: NodePlan) -> str:
    """Return a shell command that starts the node."""
    variables = [f"{name}={shlex.quote(value)}" for name, value in node.env.items()]
    return " ".join([*variables, shlex.join(node.command)])


def _chosen(demands: Sequence[Demand], options: WorkerOptions, presets: Mapping[str, MachineSpec]) -> list[MachineSpec]:
    names = dict.fromkeys(options.machines or (ALL,))
    if ALL not in names:
        return [resolve_machine(name, presets) for name in names]
    used = {demand.machine for demand in demands} | {demand.larger for demand in demands if demand.larger}
    if not used:
        raise PlanError(
            "No task is declared, so there is no machine to serve. Check TASKFLOW_TASKS, or name a --machine."
        )
    specs = [resolve_machine(name, presets) for name in used]
    return sorted(specs, key=lambda spec: (spec.cpu, spec.memory_gb, spec.name))


def _executors(machine: str, demands: Sequence[Demand]) -> list[str]:
    used = {demand.executor for demand in demands if machine in (demand.machine, demand.larger)}
    return [executor for executor in EXECUTORS if executor in used or not used]


def _doubts(machine: MachineSpec, demands: Sequence[Demand], host: Host) -> list[str]:
    doubts: list[str] = []
    used = sorted({demand.machine for demand in demands} | {demand.larger for demand in demands if demand.larger})
    if machine.name not in used:
        known = f"Tasks use {', '.join(used)}." if used else "No task is declared."
        doubts.append(f"No declared task uses machine {machine.name!r}; it serves runs triggered with it. {known}")
    if machine.cpu > host.cores or machine.memory_bytes > host.memory:
        size = f"{machine.cpu:g} vCPU, {machine.memory_gb:g} GB"
        doubts.append(f"Machine {machine.name!r} ({size}) is larger than this host ({host}).")
    return doubts


def _dedicated(
    queue: str, demands: Sequence[Demand], machines: Sequence[MachineSpec]
) -> tuple[int, list[tuple[MachineSpec, str]]]:
    """Return a queue's limit and the classes, among the chosen machines, whose tasks use it."""
    using = [demand for demand in demands if demand.queue == queue]
    if not using:
        near = did_you_mean(queue, {demand.queue for demand in demands}, "declared queues")
        raise PlanError(f"No declared task uses queue {queue!r}. {near}")
    limits = [demand.limit for demand in using if demand.limit is not None]
    if not limits:
        raise PlanError(
            f"Queue {queue!r} has no concurrency limit, so it has no Celery queue of its own: the shared nodes of its "
            "machine take its runs. Leave --queue out, or give the queue a concurrency_limit."
        )
    wanted = {(name, demand.executor) for demand in using for name in (demand.machine, demand.larger) if name}
    classes = [(spec, executor) for spec in machines for executor in EXECUTORS if (spec.name, executor) in wanted]
    if not classes:
        homes = ", ".join(sorted({demand.machine for demand in using}))
        chosen = ", ".join(spec.name for spec in machines)
        raise PlanError(f"Queue {queue!r} is used on machine {homes}, and chosen was {chosen}. Add --machine {homes}.")
    return min(limits), classes


def _node(
    options: WorkerOptions, machine: MachineSpec, executor: str, queue: str | None, concurrency: int, unique: str
) -> NodePlan:
    class_of_node = (options.environment, machine.name, executor)
    celery_queue = shared_queue(*class_of_node) if queue is None else dedicated_queue(*class_of_node, queue)
    queues = (celery_queue, subtask_queue(celery_queue)) if executor == "process" else (celery_queue,)
    name = f"{celery_queue}-{unique}"
    pool = ("-P", "prefork", "-O", "fair") if executor == "process" else ("-P", "custom")
    command = (
        "celery",
        "-A",
        options.app,
        "worker",
        "-Q",
        ",".join(queues),
        "-c",
        str(concurrency),
        "-n",
        f"{name}@%h",
    )
    quiet = ("--without-gossip", "--without-mingle")  # the store has the nodes; heartbeat events stay, for Flower
    return NodePlan(
        name=name,
        machine=machine,
        executor=executor,
        queue=queue,
        queues=queues,
        concurrency=concurrency,
        command=(*command, *pool, *quiet, "--loglevel", options.loglevel),
        env={} if executor == "process" else {_POOL_VARIABLE: _ASYNC_POOL},
    )
