"""Nodes as the table of workers shows them: by machine class, with what differs among them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskflow.definition.machine import MachineSpec
from taskflow.engine.nodes import short_name
from taskflow.server.dashboard.pages.workers.reads import Fleet
from taskflow.server.dashboard.view.numbers import counted
from taskflow.store.operations.overviews.nodes import NodeReport, NodeReports, Unserved


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node in the table.

    Attributes:
        name: The part of its id that people chose; the rest is its process.
        load: The share of its places that are in use, in percent.
        is_other: Whether its version is not the newest.
        takes: The queues that it takes from, without the environment; what is left of it while it drains.
        left: How long its runs have to end while it drains.
    """

    node: NodeReport
    name: str
    load: float
    memory: int | None
    is_other: bool
    takes: str
    left: timedelta | None

    @property
    def is_draining(self) -> bool:
        """Whether it takes no new runs."""
        return self.node.draining_at is not None or self.node.drained_by is not None


@dataclass(frozen=True, slots=True)
class MachineGroup:
    """The nodes of a machine class. ``size``: its processors and memory, "" for an unknown machine."""

    machine: str
    size: str
    executors: str
    rows: Sequence[NodeRow]


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers above the table. ``version``: the newest one, which ``of_version`` nodes have."""

    nodes: int
    hosts: int
    executing: int
    parked: int
    version: str | None
    of_version: int


def groups_of(fleet: Fleet, presets: Mapping[str, MachineSpec], environment: str) -> Sequence[MachineGroup]:
    """Return the nodes by machine class: presets in their order, then others by name."""
    newest = newest_version(fleet.reports)
    found: dict[str, list[NodeReport]] = {}
    for node in fleet.reports.nodes:
        for machine in sorted({name.rpartition(".")[0] for name in node.classes} or {""}):
            found.setdefault(machine, []).append(node)
    order = [*presets, *sorted(set(found) - set(presets))]
    return [
        MachineGroup(
            machine or "unknown",
            _size(presets.get(machine)),
            _executors(found[machine]),
            [row_of(node, fleet.reports.now, newest, environment) for node in found[machine]],
        )
        for machine in order
        if machine in found
    ]


def row_of(node: NodeReport, now: datetime, newest: str | None, environment: str) -> NodeRow:
    """Return the row of a node."""
    left = None
    if node.draining_at is not None and node.grace is not None:
        left = max(timedelta(), node.draining_at + node.grace - now)
    return NodeRow(
        node,
        short_name(node.id),
        round(min(100.0, 100 * node.executing / node.capacity), 1) if node.capacity else 0.0,
        None if node.memory is None else round(100 * node.memory),
        newest is not None and node.version != newest,
        ", ".join(name.removeprefix(f"{environment}.") for name in node.queues if "@" not in name),
        left,
    )


def newest_version(reports: NodeReports) -> str | None:
    """Return the version of the node that came up last, None when no node has one."""
    versions = [(node.up_since, node.version) for node in reports.nodes if node.version]
    return max(versions)[1] if versions else None


def figures_of(reports: NodeReports) -> Figures:
    """Return the numbers above the table."""
    newest = newest_version(reports)
    return Figures(
        len(reports.nodes),
        len({node.host for node in reports.nodes}),
        sum(node.executing for node in reports.nodes),
        sum(node.parked for node in reports.nodes),
        newest,
        Counter(node.version for node in reports.nodes)[newest],
    )


@dataclass(frozen=True, slots=True)
class Lack:
    """Runs that wait for a worker that is not there. ``query``: the filter of the page of runs that shows them."""

    runs: int
    text: str
    query: Mapping[str, str]


def lacks_of(unserved: Unserved, environment: str) -> Sequence[Lack]:
    """Return what no node serves, the most runs first."""
    lacks = [
        Lack(runs, f"for a worker that knows task {name}", {"task": name}) for name, runs in unserved.tasks.items()
    ]
    for name, runs in unserved.queues.items():
        lacks.append(Lack(runs, f"for a worker that knows queue {name}", {"queue": name}))
    for name, runs in unserved.codes.items():
        lacks.append(Lack(runs, f"for a worker with the code of {name} that fits their journals", {"task": name}))
    for name, runs in unserved.by_class(environment).items():
        machine, _, executor = name.rpartition(".")
        lacks.append(Lack(runs, f"for a node of {machine} ({executor}), and none is up", {"machine": machine}))
    return sorted(lacks, key=lambda lack: -lack.runs)


def _size(spec: MachineSpec | None) -> str:
    return "" if spec is None else f"{spec.cpu:g} vCPU, {spec.memory_bytes / 1024**3:g} GB"


def _executors(nodes: Sequence[NodeReport]) -> str:
    return " and ".join(sorted({name.rpartition(".")[2] for node in nodes for name in node.classes}, reverse=True))


def waiting_words(lack: Lack) -> str:
    """Return how many runs wait, in words."""
    return f"{counted(lack.runs, 'run waits', 'runs wait')}"
