"""Nodes for people: what they execute, what their hosts use, which were lost, and what waits for others."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from taskflow.errors import NodeNotFoundError
from taskflow.store.operations.encoding import instant
from taskflow.store.operations.operation import Operation


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A node that is up.

    Attributes:
        queues: The Celery queues that it takes from; none while it drains.
        classes: ``<machine>.<executor>``.
        executing: Runs whose code executes.
        parked: Runs that wait in its memory.
        memory: The share of the host's, or container's, memory that is used, from 0 to 1; None until it was told.
        memory_bytes: The memory of the host or container; None until it was told.
        cpu: The share of the host's processors that was busy since the last heartbeat.
        heard_at: Its last heartbeat.
        draining_at: The instant since which it takes no new runs.
        drained_by: Who asked it to drain; None when a signal did.
        grace: The time that its runs have to end once it drains.
    """

    id: str
    host: str
    version: str | None
    queues: tuple[str, ...]
    classes: tuple[str, ...]
    capacity: int
    executing: int
    parked: int
    memory: float | None
    memory_bytes: int | None
    cpu: float | None
    up_since: datetime
    heard_at: datetime
    draining_at: datetime | None
    drained_by: str | None
    grace: timedelta | None


@dataclass(frozen=True, slots=True)
class LostNode:
    """A node that fell silent in the last 24 hours. ``runs``: how many it executed, which started again elsewhere."""

    id: str
    host: str
    version: str | None
    up_since: datetime
    heard_at: datetime | None
    lost_at: datetime
    runs: int


@dataclass(frozen=True, slots=True)
class Unserved:
    """Names that wait for a worker that is not there, each with the number of runs that wait.

    Attributes:
        tasks: Tasks that no worker has registered.
        queues: Queues that no worker has registered.
        codes: Durable tasks of whose code the version that a journal fits is not up.
        classes: ``<machine>.<executor>`` that no node serves.
        celery_queues: Celery queues from which no node takes; they name machine, executor and perhaps a queue.
    """

    tasks: dict[str, int]
    queues: dict[str, int]
    codes: dict[str, int]
    classes: dict[str, int]
    celery_queues: dict[str, int]

    @property
    def is_nothing(self) -> bool:
        """Whether every run that waits has a worker."""
        return not (self.tasks or self.queues or self.codes or self.classes or self.celery_queues)

    def by_class(self, environment: str) -> Counter[str]:
        """Return how many runs wait for a node of each ``<machine>.<executor>``, in queues with limits and without.

        Args:
            environment: The first part of the names of its Celery queues.
        """
        waiting = Counter(self.classes)
        for celery_queue, runs in self.celery_queues.items():
            waiting[".".join(celery_queue.removeprefix(f"{environment}.").partition("@")[0].split(".")[:2])] += runs
        return waiting


@dataclass(frozen=True, slots=True)
class NodeReports:
    """The nodes that are up, by id, those that were lost, newest first, and the store's instant of the read."""

    nodes: tuple[NodeReport, ...]
    lost: tuple[LostNode, ...]
    now: datetime


def read_nodes() -> Operation[NodeReports]:
    """Read the nodes that are up on one shard, with the runs of that shard, and those lost in the last 24 hours."""

    def read(_: int, value: Any) -> NodeReports:
        nodes, lost, now = value
        return NodeReports(
            tuple(sorted((_node(*fields) for fields in nodes), key=lambda node: node.id)),
            tuple(_lost(*fields) for fields in lost),
            instant(now),
        )

    return Operation("read_nodes", (), read)


def read_unserved() -> Operation[Unserved]:
    """Read what waits on one shard for a worker that is not there."""

    def read(_: int, value: Any) -> Unserved:
        unregistered, classes, celery_queues = value
        awaited = {name.decode(): int(count) for name, count in unregistered}
        kinds = {kind: _behind(f"{kind}:", awaited) for kind in ("task", "queue", "code")}
        return Unserved(kinds["task"], kinds["queue"], kinds["code"], _summed(classes), _summed(celery_queues))

    return Operation("read_unserved", (), read)


def ask_drain(node_id: str, by: str) -> Operation[int]:
    """Ask a node to take no new runs, and to end when those that it executes have ended or its grace is over.

    Raises (when read):
        NodeNotFoundError: No such node is up.
    """

    def read(code: int, value: Any) -> int:
        if code == 0:
            raise NodeNotFoundError(node_id)
        return int(value)

    return Operation("ask_drain", (node_id, by), read)


def merged_nodes(shards: Sequence[NodeReports]) -> NodeReports:
    """Return the reports of all shards as one. A node is registered on each; its runs are on all of them."""
    executing, parked, lost_runs = Counter[str](), Counter[str](), Counter[str]()
    nodes = {node.id: node for shard in shards for node in shard.nodes}
    lost = {node.id: node for shard in shards for node in shard.lost}
    for shard in shards:
        executing.update({node.id: node.executing for node in shard.nodes})
        parked.update({node.id: node.parked for node in shard.nodes})
        lost_runs.update({node.id: node.runs for node in shard.lost})
    return NodeReports(
        tuple(
            replace(node, executing=executing[node.id], parked=parked[node.id])
            for node in sorted(nodes.values(), key=lambda node: node.id)
        ),
        tuple(
            replace(node, runs=lost_runs[node.id])
            for node in sorted(lost.values(), key=lambda node: node.lost_at, reverse=True)
            if node.id not in nodes
        ),
        shards[0].now,
    )


def merged_unserved(shards: Sequence[Unserved]) -> Unserved:
    """Return what is unserved on all shards as one."""
    return Unserved(
        _added(shard.tasks for shard in shards),
        _added(shard.queues for shard in shards),
        _added(shard.codes for shard in shards),
        _added(shard.classes for shard in shards),
        _added(shard.celery_queues for shard in shards),
    )


def _node(
    node_id: bytes, queues: bytes, classes: bytes, description: bytes, load: bytes, since: bytes, heard: bytes,
    draining: bytes, drained_by: bytes, capacity: bytes, executing: int, parked: int,
) -> NodeReport:  # fmt: skip
    described, used = json.loads(description), json.loads(load)
    return NodeReport(
        id=node_id.decode(),
        host=str(described.get("host", "")),
        version=described.get("version"),
        queues=tuple(json.loads(queues)),
        classes=tuple(json.loads(classes)),
        capacity=int(capacity) or int(described.get("concurrency", 0)),
        executing=int(executing),
        parked=int(parked),
        memory=used.get("memory"),
        memory_bytes=used.get("memory_bytes"),
        cpu=used.get("cpu"),
        up_since=instant(since),
        heard_at=instant(heard or since),
        draining_at=instant(draining) if draining else None,
        drained_by=drained_by.decode() or None,
        grace=timedelta(seconds=described["grace"]) if "grace" in described else None,
    )


def _lost(stored: bytes, at: bytes) -> LostNode:
    known = json.loads(stored)
    described = json.loads(known.get("description") or "{}")
    return LostNode(
        id=known["id"],
        host=str(described.get("host", "")),
        version=described.get("version"),
        up_since=instant(known["since"]),
        heard_at=instant(known["heard"]) if known.get("heard") else None,
        lost_at=instant(at),
        runs=int(known.get("runs", 0)),
    )


def _behind(prefix: str, counts: dict[str, int]) -> dict[str, int]:
    return {name.removeprefix(prefix): count for name, count in sorted(counts.items()) if name.startswith(prefix)}


def _summed(rows: Iterable[tuple[bytes, int]]) -> dict[str, int]:
    return _added({name.decode(): int(count)} for name, count in rows)


def _added(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for part in parts:
        total.update(part)
    return dict(sorted((+total).items()))
