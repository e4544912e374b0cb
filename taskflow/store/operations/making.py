"""The operations that make runs and declare tasks and queues."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from pydantic_core import to_json

from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.definition.queue import NO_LIMITS, QueueLimits
from taskflow.objects.address import LargeValue
from taskflow.seams.waits import Waiter
from taskflow.store.operations.encoding import due_text, milliseconds
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.version_names import version_name


@dataclass(slots=True)
class NewRun:
    """A run to make. ``due``: an instant, or a duration from the store's now; ``priority``: seconds.

    Not frozen, because making one would take 3.7 us instead of 1.3.

    Attributes:
        prefers: The version of the run that waits for it. Nodes of that version execute it, if there are any.
        large: A payload that is too large for the record. It is written before the run, and ``payload`` is its address.
    """

    id: str
    task_id: str
    payload: bytes
    args: str | None
    queue: str
    class_name: str
    max_attempts: int
    limits: QueueLimits = NO_LIMITS
    tags: tuple[str, ...] = ()
    due: datetime | timedelta | None = None
    idempotency_key: IdempotencyKey | None = None
    idempotency_key_ttl: timedelta | None = None
    concurrency_key: str | None = None
    ttl: timedelta | None = None
    priority: float = 0.0
    metadata: bytes = b""
    max_duration: timedelta | None = None
    debounce: Debounce | None = None
    is_test: bool = False
    parent_id: str | None = None
    root_id: str | None = None
    replay_of: str | None = None
    batch_id: str | None = None
    canvas: str | None = None
    waiter: Waiter | None = None
    prefers: str | None = None
    doubts: str = ""
    """``task``, ``queue`` or both: the script checks whether a worker has registered them. The rest is certain."""
    foreign: str = ""
    """The fields of the task that a worker declares, because the trigger does not have its code."""
    patience: timedelta | None = None
    large: LargeValue | None = None
    trace: str = ""
    """The trace headers of the calling code, a JSON object of texts, "" for none."""
    schedule_id: str | None = None
    origin: str = ""
    """See ``Run.triggered_by``, "" for none."""
    has_journal: bool = False
    """Whether its journal was planted before."""


def trigger_run(new: NewRun, *, needs_replicas: bool = True) -> Operation[tuple[str, bool]]:
    """Make a run. Reads as (run id, whether this call made it): a key or debounce may name an older run.

    ``needs_replicas``: See ``Operation``. False for callers that must not wait for replicas.
    """
    key = new.idempotency_key
    args = (
        new.id,
        new.task_id,
        new.payload,
        new.args or "",
        new.queue,
        limits_json(new.limits),
        new.class_name,
        new.max_attempts,
        json.dumps(new.tags) if new.tags else "",
        due_text(new.due),
        f"{new.task_id}:{key.digest}" if key is not None else "",
        key.key if key is not None else "",
        _extras(new),
        _debounce(new),
    )
    return Operation("trigger_run", args, lambda code, value: (value.decode(), code == 1), new.id, needs_replicas)


_rare_fields = attrgetter(
    "concurrency_key", "ttl", "priority", "metadata", "max_duration", "idempotency_key_ttl", "is_test", "parent_id",
    "root_id", "replay_of", "batch_id", "canvas", "waiter", "doubts", "has_journal", "schedule_id",
    "trace", "origin",
)  # fmt: skip


def _extras(new: NewRun) -> str:
    """Return the fields that few runs have, as JSON of text, "" when this one has none."""
    if not any(_rare_fields(new)):
        return ""
    extras = {
        "ckey": new.concurrency_key,
        "ttl": new.ttl and milliseconds(new.ttl),
        "priority": round(new.priority * 1_000_000) or None,
        "metadata": new.metadata.decode() or None,
        "max_duration": new.max_duration and milliseconds(new.max_duration),
        "key_ttl": new.idempotency_key_ttl and milliseconds(new.idempotency_key_ttl),
        "test": new.is_test or None,
        "parent": new.parent_id,
        "root": new.root_id,
        "replay_of": new.replay_of,
        "batch": new.batch_id,
        "schedule": new.schedule_id,
        "canvas": new.canvas,
        "waiter": new.waiter.text if new.waiter else None,
        "place": (new.waiter and new.waiter.place) or None,
        "prefers": version_name(new.prefers) if new.prefers else None,
        "doubts": new.doubts or None,
        "foreign": new.foreign or None,
        "trace": new.trace or None,
        "origin": new.origin or None,
        "durable": 1 if new.has_journal else None,
        "patience": milliseconds(new.patience) if new.doubts and new.patience is not None else None,
    }
    given = {name: str(value) for name, value in extras.items() if value is not None}
    return to_json(given).decode() if given else ""


def _debounce(new: NewRun) -> str:
    if new.debounce is None:
        return ""
    most = new.debounce.max_delay
    fields = {
        "key": f"{new.task_id}:{hashlib.sha256(new.debounce.key.encode()).hexdigest()[:32]}",
        "trailing": new.debounce.mode == "trailing",
        "max_delay": milliseconds(most) if most is not None else None,
    }
    return json.dumps(fields)


def limits_json(limits: QueueLimits) -> str:
    """Return a queue's limits as the fields of its hash, JSON, "" for none. ``period`` is microseconds."""
    if limits is NO_LIMITS:
        return ""
    period = limits.rate_period
    fields = {
        "limit": limits.concurrency,
        "per_key": limits.per_key,
        "total": limits.total,
        "rate": limits.rate_count,
        "period": None if period is None else round(period.total_seconds() * 1_000_000),
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(given) if given else ""


def declare(
    templates: Mapping[str, str],
    limits: Mapping[str, QueueLimits],
    *,
    by_worker: bool,
    final_hooks: Mapping[str, bool] | None = None,
    environment_limit: int | None = None,
    burst_factor: float = 1.0,
    registrations: Mapping[str, str] | None = None,
    schemas: Mapping[str, str] | None = None,
    details: Mapping[str, str] | None = None,
) -> Operation[int]:
    """Write ticket templates, queue limits and which tasks have final hooks. A worker replaces older declarations.

    Reads as the number of these tasks that workers have registered.

    Args:
        registrations: The registration of each task by a worker, see ``registration``.
        schemas: The JSON Schema of each task's payload.
        details: What people read of each task's declaration, see ``overviews.tasks``.
    """
    known = {queue: limits_json(each) for queue, each in limits.items()}
    whole = {} if environment_limit is None else {"limit": environment_limit, "burst": burst_factor}
    registered = [dict(each or {}) for each in (registrations, schemas, details)]
    parts = (dict(templates), known, dict(final_hooks or {}), whole, *registered)
    return Operation("declare", (int(by_worker), *map(json.dumps, parts)), lambda _, value: int(value))
