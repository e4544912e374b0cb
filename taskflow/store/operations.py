"""Every operation on the run store: its script, its arguments, and how its reply reads.

An operation is a value. ``Store.run`` and ``AsyncStore.run`` execute it; nothing here does I/O. All of them may be
repeated after a lost reply: each recognises that it was done.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from pydantic_core import to_json

from taskflow.definition.debounce import Debounce
from taskflow.definition.idempotency import IdempotencyKey
from taskflow.definition.queue import NO_LIMITS, QueueLimits
from taskflow.errors import (
    NodeUnregisteredError,
    RunNotClaimableError,
    RunNotDelayedError,
    RunNotFoundError,
    StaleClaimError,
)
from taskflow.models import AttemptOutcome, Run, RunError, RunStatus
from taskflow.store import records

ResultT = TypeVar("ResultT")
Reply = tuple[int, Any]
PER_PASS: Final = 100
"""How many items one upkeep script handles, so that none holds the store for long."""


@dataclass(frozen=True, slots=True)
class Operation(Generic[ResultT]):
    """One call of one script. ``read`` gets the reply's code and value and returns the result, or raises."""

    script: str
    args: tuple[bytes | str | int | float, ...]
    read: Callable[[int, Any], ResultT]
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewRun:
    """What ``trigger_run`` writes. ``due``: an instant, or a duration from the store's now; ``priority``: seconds."""

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


def trigger_run(new: NewRun) -> Operation[tuple[str, bool]]:
    """Make a run. Reads as (run id, whether this call made it): a key or debounce may name an older run."""
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
        _due(new.due),
        f"{new.task_id}:{key.digest}" if key is not None else "",
        key.key if key is not None else "",
        _extras(new),
        _debounce(new),
    )
    return Operation("trigger_run", args, lambda code, value: (value.decode(), code == 1), new.id)


def _extras(new: NewRun) -> str:
    """Return the fields that few runs have, as JSON of text, "" when this one has none."""
    found = {
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
        "canvas": new.canvas,
    }
    given = {name: str(value) for name, value in found.items() if value is not None}
    return to_json(given).decode() if given else ""


def _debounce(new: NewRun) -> str:
    if new.debounce is None:
        return ""
    most = new.debounce.max_delay
    told = {
        "key": f"{new.task_id}:{hashlib.sha256(new.debounce.key.encode()).hexdigest()[:32]}",
        "trailing": new.debounce.mode == "trailing",
        "max_delay": milliseconds(most) if most is not None else None,
    }
    return json.dumps(told)


def limits_json(limits: QueueLimits) -> str:
    """Return a queue's limits as the fields of its hash, JSON, "" for none. ``period`` is microseconds."""
    period = limits.rate_period
    found = {
        "limit": limits.concurrency,
        "per_key": limits.per_key,
        "total": limits.total,
        "rate": limits.rate_count,
        "period": None if period is None else round(period.total_seconds() * 1_000_000),
    }
    given = {name: value for name, value in found.items() if value is not None}
    return json.dumps(given) if given else ""


def claim_run(run_id: str, *, node_id: str, reservation: int, pid: int = 0) -> Operation[records.ClaimedRun]:
    """Claim a queued run for a node, or the final hooks of one that ended without its code.

    ``pid`` is the child that executes it, 0 for a coroutine.

    Raises (when read):
        RunNotClaimableError: The run is not queued under this reservation: claimed elsewhere, finished or unknown; or
            its queue is paused or full, and the run is pending again.
        NodeUnregisteredError: The node holds no lease.
    """

    def read(code: int, value: Any) -> records.ClaimedRun:
        if code > 0:
            return records.claimed_run(run_id, value, is_ended=code == 2)
        if value == b"UNREGISTERED":
            raise NodeUnregisteredError(node_id)
        raise RunNotClaimableError(run_id, value.decode())

    return Operation("claim_run", (run_id, node_id, reservation, secrets.token_hex(8), pid), read)


def finish_run(
    run_id: str,
    claim: int,
    status: RunStatus,
    *,
    output: bytes = b"",
    error: RunError | None = None,
    hooks_left: bool = False,
    hook_errors: Sequence[RunError] = (),
) -> Operation[RunStatus]:
    """End an executing run. Frees its slot and starts the next run of its queue.

    Args:
        hooks_left: Its code is gone and could not run the final hooks: another worker is asked to.

    Raises (when read):
        StaleClaimError: The claim is over.
    """
    failed = int(status in (RunStatus.FAILED, RunStatus.CRASHED))
    told = records.error_json(error) if error else ""
    args = (run_id, claim, status.value, output, told, failed, int(hooks_left), _errors_json(hook_errors))
    return Operation("finish_run", args, _fenced(run_id, claim))


def settle_run(
    run_id: str, claim: int, status: RunStatus, *, output: bytes = b"", error: RunError | None = None
) -> Operation[RunStatus]:
    """Keep how a run has ended before its final hooks run: if the worker dies in them, it is not executed again.

    Raises (when read):
        StaleClaimError: The claim is over.
    """
    args = (run_id, claim, status.value, output, records.error_json(error) if error else "")
    return Operation("settle_run", args, _fenced(run_id, claim))


def finish_hooks(run_id: str, claim: int, hook_errors: Sequence[RunError] = ()) -> Operation[RunStatus]:
    """Say that the final hooks of a run that had ended without its code are over, and with them the claim.

    Raises (when read):
        StaleClaimError: The claim is over.
    """
    return Operation("finish_hooks", (run_id, claim, _errors_json(hook_errors)), _fenced(run_id, claim))


def _errors_json(errors: Sequence[RunError]) -> str:
    return f"[{','.join(map(records.error_json, errors))}]" if errors else ""


def retry_run(
    run_id: str, claim: int, error: RunError, delay: timedelta, *, class_name: str = ""
) -> Operation[RunStatus]:
    """End a failed attempt and start the next after ``delay``, on another class when named.

    Raises (when read):
        StaleClaimError: The claim is over.
    """
    args = (run_id, claim, records.error_json(error), milliseconds(delay), class_name)
    return Operation("retry_run", args, _fenced(run_id, claim))


def give_up_run(run_id: str, claim: int, outcome: AttemptOutcome, error: RunError) -> Operation[bool]:
    """Tell that a run's code no longer executes. Reads as whether the claim was still good."""
    args = (run_id, claim, outcome.value, records.error_json(error))
    return Operation("give_up_run", args, lambda code, _: code == 1)


def cancel_run(run_id: str, reason: RunError) -> Operation[bool]:
    """Cancel a run. Reads as whether this call did: False when it had ended.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: bytes) -> bool:
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        return code == 1

    return Operation("cancel_run", (run_id, records.error_json(reason)), read)


def cancel_children(parent_id: str, reason: RunError) -> Operation[list[str]]:
    """Cancel the children of a canceled run on one shard. Reads as their ids: ``PER_PASS`` means more may be left."""

    def read(_: int, value: Any) -> list[str]:
        return [child.decode() for child in value]

    return Operation("cancel_children", (parent_id, records.error_json(reason), PER_PASS), read)


def reschedule_run(run_id: str, due: datetime | timedelta) -> Operation[datetime]:
    """Give a delayed run another instant to start at. Reads as that instant.

    Raises (when read):
        RunNotFoundError: No such run.
        RunNotDelayedError: It is not DELAYED (any more).
    """

    def read(code: int, value: bytes) -> datetime:
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        if code == 0:
            raise RunNotDelayedError(run_id, value.decode())
        return records.instant(value)

    return Operation("reschedule_run", (run_id, _due(due)), read)


def read_run(run_id: str) -> Operation[Run]:
    """Read a run's record.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: Any) -> Run:
        if code == 0:
            raise RunNotFoundError(run_id)
        return records.run(run_id, records.pairs(value))

    return Operation("read_run", (run_id,), read)


def read_result(run_id: str) -> Operation[tuple[RunStatus, bytes | None, RunError | None]]:
    """Read a run's status, output JSON and error.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: Any) -> tuple[RunStatus, bytes | None, RunError | None]:
        if code == 0:
            raise RunNotFoundError(run_id)
        status, output, error = value
        return RunStatus(status.decode()), output, records.error(error)

    return Operation("read_result", (run_id,), read)


def list_runs(limit: int) -> Operation[list[Run]]:
    """List up to ``limit`` live and ``limit`` finished runs, newest first, without payload, output and attempts."""

    def read(_: int, value: Any) -> list[Run]:
        return [records.run(fields[0].decode(), records.pairs(fields[1:])) for fields in value]

    return Operation("list_runs", (limit,), read)


def declare(
    templates: Mapping[str, str],
    limits: Mapping[str, QueueLimits],
    *,
    by_worker: bool,
    final_hooks: Mapping[str, bool] | None = None,
    environment_limit: int | None = None,
    burst_factor: float = 1.0,
) -> Operation[int]:
    """Keep ticket templates, queue limits and which tasks have final hooks. A worker's word replaces older ones."""
    known = {queue: limits_json(each) for queue, each in limits.items()}
    whole = {} if environment_limit is None else {"limit": environment_limit, "burst": burst_factor}
    told = (dict(templates), known, dict(final_hooks or {}), whole)
    return Operation("declare", (int(by_worker), *map(json.dumps, told)), _value)


def _fenced(run_id: str, claim: int) -> Callable[[int, bytes], RunStatus]:
    def read(code: int, value: bytes) -> RunStatus:
        if code == 0:
            raise StaleClaimError(run_id, claim, value.decode())
        return RunStatus(value.decode())

    return read


def _value(_: int, value: int) -> int:
    return value


def _due(due: datetime | timedelta | None) -> str:
    if due is None:
        return ""
    return f"+{milliseconds(due)}" if isinstance(due, timedelta) else str(round(due.timestamp() * 1000))


def milliseconds(duration: timedelta) -> int:
    """Return a duration in whole milliseconds."""
    return round(duration.total_seconds() * 1000)
