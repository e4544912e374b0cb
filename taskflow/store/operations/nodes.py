"""The operations of nodes and of upkeep."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from taskflow.errors import NodeUnregisteredError
from taskflow.models import AttemptOutcome, RunError, RunStatus
from taskflow.store.operations.encoding import error_json, milliseconds, pairs
from taskflow.store.operations.operation import PER_PASS, Operation

FORGOTTEN_AT_ONCE: Final = 500

FIRING_TURN: Final = timedelta(milliseconds=250)
"""Time for which a node has the turn to fire schedules: as long as a death of this node delays them."""
LOOK_BEHIND: Final = timedelta(milliseconds=60)
"""Time by which nodes look later at schedules than the node that fired last."""


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """One message to a node, for a run under a claim: ``kind`` "cancel" or "timeout"."""

    id: str
    kind: str
    run_id: str
    claim: int


@dataclass(frozen=True, slots=True)
class Tick:
    """The upkeep that is due and that this node performs, and otherwise how long to wait.

    ``due`` holds any of "clock", "schedules", "runs", "timers", "nodes", "deserted", "tickets", "effects", "canvas" and
    "sweep".
    """

    due: frozenset[str]
    wait_ms: int


@dataclass(frozen=True, slots=True)
class HeldRun:
    """A run that a node holds, with the child that executes it (0 for a coroutine)."""

    run_id: str
    claim: int
    pid: int
    status: RunStatus
    task_id: str
    failed_attempts: int
    max_attempts: int
    class_name: str


def register_node(
    node_id: str,
    *,
    lease: timedelta,
    queues: Sequence[str],
    capacity: int,
    classes: Sequence[str],
    description: Mapping[str, object],
    tasks: Sequence[str] = (),
) -> Operation[int]:
    """Give a node its first lease. ``queues`` are the Celery queues it consumes, ``tasks`` those it declares."""
    args = (
        node_id, milliseconds(lease), json.dumps(list(queues)), capacity, json.dumps(list(classes)),
        json.dumps(dict(description)), json.dumps(list(tasks)),
    )  # fmt: skip
    return Operation("register_node", args, _number)


def heartbeat_node(
    node_id: str, *, lease: timedelta, handled: Sequence[str] = (), load: str = ""
) -> Operation[list[InboxEntry]]:
    """Renew a lease. Reads as the messages that the inbox still holds.

    Args:
        load: What the node's host uses, as JSON, see ``overviews.nodes``; "" keeps the last one.

    Raises (when read):
        NodeUnregisteredError: The lease has ended: stop everything and register anew.
    """

    def read(code: int, value: Any) -> list[InboxEntry]:
        if code == 0:
            raise NodeUnregisteredError(node_id)
        return [inbox_entry(entry_id, fields) for entry_id, fields in value]

    return Operation("heartbeat_node", (node_id, milliseconds(lease), load, *handled), read)


def drain_node(node_id: str) -> Operation[int]:
    """Stop giving a node new runs. It keeps its lease and its runs; the reservations of its classes move elsewhere."""
    return Operation("drain_node", (node_id,), _number)


def serve_queues(node_id: str, queues: Sequence[str], *, capacity: int, classes: Sequence[str]) -> Operation[int]:
    """Record that a node consumes Celery queues again or, with a capacity of 0, does not for now.

    Reads as 0 when the node does not take runs any more.
    """
    args = (node_id, json.dumps(list(queues)), capacity, json.dumps(list(classes)))
    return Operation("serve_queues", args, lambda code, _: code)


def unregister_node(node_id: str, outcome: AttemptOutcome, reason: RunError) -> Operation[int]:
    """End a node's lease at its own request. Reads as how many of its runs are left: repeat until 0."""
    return Operation("unregister_node", (node_id, outcome.value, error_json(reason), PER_PASS), _number)


def list_nodes() -> Operation[list[str]]:
    """List the ids of the nodes that hold a lease."""

    def read(_: int, value: Any) -> list[str]:
        return [node_id.decode() for node_id in value]

    return Operation("list_nodes", (), read)


def read_processes() -> Operation[dict[str, str]]:
    """Read the process of each node that has described it, see ``worker/node/process_identity.py``."""

    def read(_: int, value: Any) -> dict[str, str]:
        described = {node_id.decode(): json.loads(description) for node_id, description in value}
        return {node_id: str(fields["process"]) for node_id, fields in described.items() if "process" in fields}

    return Operation("read_processes", (), read)


def read_node_runs(node_id: str) -> Operation[list[HeldRun]]:
    """Read the runs that a node holds."""

    def read(_: int, value: Any) -> list[HeldRun]:
        return [_held(*fields) for fields in value]

    return Operation("read_node_runs", (node_id,), read)


def promote_runs() -> Operation[int]:
    """Make due runs startable. Reads as how many, like all passes of upkeep below: ``PER_PASS`` means more are left."""
    return Operation("promote_runs", (PER_PASS,), _number)


def fire_timers() -> Operation[int]:
    """Expire runs, stop those that computed too long, go on with queues at their rate. Reads as how many fired."""
    return Operation("fire_timers", (PER_PASS,), _number)


def read_effects() -> Operation[list[str]]:
    """Read the effects that scripts left: work on other shards, for example ``cancel-children:<run>``."""

    def read(_: int, value: Any) -> list[str]:
        return [entry.decode() for entry in value]

    return Operation("read_effects", (PER_PASS,), read)


def drop_effect(entry: str, *, notified: int | None = None) -> Operation[int]:
    """Drop an effect that was performed on all shards. ``notified``: the number of waiters."""
    return Operation("drop_effect", (entry, "" if notified is None else notified), _number)


def retire_runs(run_ids: Sequence[str], retention: timedelta) -> Operation[int]:
    """Record that runs are in the history. The finished ones leave the store after ``retention``."""
    return Operation("retire_runs", (milliseconds(retention), *run_ids), _number)


def reap_nodes(lease: timedelta, heartbeat: timedelta, reason: RunError) -> Operation[int]:
    """Take the runs of nodes whose lease has ended. Reads as -1 when leases were granted after a pause instead."""
    args = (milliseconds(lease), milliseconds(heartbeat), PER_PASS, error_json(reason))
    return Operation("reap_nodes", args, _number)


def follow_clock(index: str, cursor: str) -> Operation[str]:
    """Look at entries of ``:timers`` or ``:delayed`` after the clock was set back. Reads as the next cursor."""
    return Operation("follow_clock", (index, cursor, PER_PASS), lambda _, value: str(value.decode()))


def republish_tickets(queue: str, broker_length: int | None) -> Operation[int]:
    """Publish a Celery queue's unclaimed tickets again when the broker holds fewer messages than reservations."""
    return Operation("republish_tickets", (queue, "" if broker_length is None else broker_length, PER_PASS), _number)


def read_ticket_queues() -> Operation[list[str]]:
    """Read the Celery queues whose unclaimed tickets are to be looked at now."""

    def read(_: int, value: Any) -> list[str]:
        return [name.decode() for name in value]

    return Operation("read_ticket_queues", (PER_PASS,), read)


def withdraw_reservations() -> Operation[int]:
    """Take reservations back from Celery queues that no node consumes any more."""
    return Operation("withdraw_reservations", (PER_PASS,), _number)


def sweep_slots(cursor: str) -> Operation[tuple[str, int]]:
    """Remove slots that no run holds. Reads as (next cursor, slots removed); "0" ends the pass."""

    def read(_: int, value: Any) -> tuple[str, int]:
        return value[0].decode(), value[1]

    return Operation("sweep_slots", (cursor,), read)


def forget_finished() -> Operation[int]:
    """Take runs that have left the store off the list of finished runs. Reads as how many: repeat until 0."""
    return Operation("forget_finished", (FORGOTTEN_AT_ONCE,), _number)


def take_tick(node_id: str, *, heartbeat: timedelta, sweep: timedelta, hold: timedelta) -> Operation[Tick]:
    """Take the upkeep that is due. Reads as what this node has to do."""

    def read(code: int, value: Any) -> Tick:
        return Tick(frozenset(value.decode().split()), 0) if code == 1 else Tick(frozenset(), value)

    args = (
        node_id, milliseconds(heartbeat), milliseconds(sweep), milliseconds(hold), milliseconds(FIRING_TURN),
        milliseconds(LOOK_BEHIND),
    )  # fmt: skip
    return Operation("take_tick", args, read)


def release_tick(node_id: str) -> Operation[int]:
    """Leave the next tick to another node."""
    return Operation("release_tick", (node_id,), _number)


def inbox_entry(entry_id: bytes, fields: Sequence[bytes]) -> InboxEntry:
    """Return an inbox message from its stream entry."""
    message = pairs(fields)
    return InboxEntry(entry_id.decode(), message["kind"].decode(), message["run"].decode(), int(message["claim"]))


def _held(
    run_id: bytes, claim: bytes, pid: bytes, status: bytes, task: bytes, failed: bytes, most: bytes, class_name: bytes
) -> HeldRun:
    return HeldRun(
        run_id.decode(),
        int(claim),
        int(pid),
        RunStatus(status.decode()),
        task.decode(),
        int(failed),
        int(most),
        class_name.decode(),
    )


def _number(_: int, value: int) -> int:
    return value
