"""The operations on one run: its script, its arguments, and how its reply reads.

An operation is a value. ``Store.run`` and ``AsyncStore.run`` execute it; nothing here does I/O. All of them may be
repeated after a lost reply, because each script recognises a repeated call.
"""

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from taskflow.errors import (
    NodeUnregisteredError,
    RunNotClaimableError,
    RunNotDelayedError,
    RunNotFoundError,
    StaleClaimError,
)
from taskflow.models import AttemptOutcome, Run, RunError, RunStatus
from taskflow.store.operations import records
from taskflow.store.operations.claims import ClaimedRun, claimed_run
from taskflow.store.operations.encoding import (
    due_text,
    error_json,
    errors_json,
    instant,
    milliseconds,
    pairs,
    run_error,
)
from taskflow.store.operations.operation import PER_PASS, Operation


def claim_run(run_id: str, *, node_id: str, reservation: int, pid: int = 0, version: str = "") -> Operation[ClaimedRun]:
    """Claim a queued run for a node, or the final hooks of one that ended without its code.

    ``pid`` is the process of the child that executes it, 0 for a coroutine; ``version`` is that of the node's code.

    Raises (when read):
        RunNotClaimableError: The run is not queued under this reservation: claimed elsewhere, finished or unknown; or
            its queue is paused or full, and the run is pending again.
        NodeUnregisteredError: The node holds no lease.
    """

    def read(code: int, value: Any) -> ClaimedRun:
        if code > 0:
            return claimed_run(run_id, value, is_ended=code == 2)
        if value == b"UNREGISTERED":
            raise NodeUnregisteredError(node_id)
        raise RunNotClaimableError(run_id, value.decode())

    return Operation("claim_run", (run_id, node_id, reservation, os.urandom(8).hex(), pid, version), read)


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
        hooks_left: Its code is gone and could not run the final hooks, so another node runs them.

    Raises (when read):
        StaleClaimError: The claim has ended.
    """
    failed = int(status in (RunStatus.FAILED, RunStatus.CRASHED))
    failure = error_json(error) if error else ""
    args = (run_id, claim, status.value, output, failure, failed, int(hooks_left), errors_json(hook_errors))
    return Operation("finish_run", args, _fenced(run_id, claim))


def settle_run(
    run_id: str, claim: int, status: RunStatus, *, output: bytes = b"", error: RunError | None = None
) -> Operation[RunStatus]:
    """Store the outcome of a run before its final hooks run. If the worker dies in them, the run is not executed again.

    Raises (when read):
        StaleClaimError: The claim has ended.
    """
    args = (run_id, claim, status.value, output, error_json(error) if error else "")
    return Operation("settle_run", args, _fenced(run_id, claim))


def finish_hooks(run_id: str, claim: int, hook_errors: Sequence[RunError] = ()) -> Operation[RunStatus]:
    """End the claim of a run whose final hooks were left to run and have run.

    Raises (when read):
        StaleClaimError: The claim has ended.
    """
    return Operation("finish_hooks", (run_id, claim, errors_json(hook_errors)), _fenced(run_id, claim))


def retry_run(
    run_id: str, claim: int, error: RunError, delay: timedelta, *, class_name: str = ""
) -> Operation[RunStatus]:
    """End a failed attempt and start the next after ``delay``, on another class when named.

    Raises (when read):
        StaleClaimError: The claim has ended.
    """
    args = (run_id, claim, error_json(error), milliseconds(delay), class_name)
    return Operation("retry_run", args, _fenced(run_id, claim))


def give_up_run(run_id: str, claim: int, outcome: AttemptOutcome, error: RunError) -> Operation[None]:
    """Give a claim back because the run's code does not execute any more.

    Raises (when read):
        StaleClaimError: The claim has ended.
    """

    def read(code: int, value: bytes) -> None:
        if code == 0:
            raise StaleClaimError(run_id, claim, value.decode())

    return Operation("give_up_run", (run_id, claim, outcome.value, error_json(error)), read)


def cancel_run(run_id: str, reason: RunError, by: str = "") -> Operation[bool]:
    """Cancel a run. Reads as whether this call did: False when it had ended. ``by`` names who asks, for people.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: bytes) -> bool:
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        return code == 1

    return Operation("cancel_run", (run_id, error_json(reason), by), read)


def cancel_children(parent_id: str, reason: RunError) -> Operation[tuple[list[str], int]]:
    """Cancel some children of a canceled run on one shard. Reads as the ids of the canceled, and how many are left.

    A child that is in its final hooks is not canceled, so that few ids do not mean that none is left.
    """

    def read(_: int, value: Any) -> tuple[list[str], int]:
        canceled, left = value
        return [child.decode() for child in canceled], left

    return Operation("cancel_children", (parent_id, error_json(reason), PER_PASS), read)


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
        return instant(value)

    return Operation("reschedule_run", (run_id, due_text(due)), read)


def count_live() -> Operation[int]:
    """Count the runs of a shard that have not ended."""
    return Operation("count_live", (), lambda _, value: int(value))


def read_run(run_id: str) -> Operation[Run]:
    """Read a run's record.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: Any) -> Run:
        if code == 0:
            raise RunNotFoundError(run_id)
        return records.run(run_id, pairs(value))

    return Operation("read_run", (run_id,), read)


def read_runs(run_ids: Sequence[str]) -> Operation[list[Run]]:
    """Read the records of some runs of a shard. Unknown ones are left out."""

    def read(_: int, value: Any) -> list[Run]:
        return [records.run(run_id.decode(), pairs(record)) for run_id, record in value]

    return Operation("read_runs", tuple(run_ids), read)


def read_result(run_id: str) -> Operation[tuple[RunStatus, bytes | None, RunError | None]]:
    """Read a run's status, output JSON and error.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: Any) -> tuple[RunStatus, bytes | None, RunError | None]:
        if code == 0:
            raise RunNotFoundError(run_id)
        status, output, error = value
        return RunStatus(status.decode()), output, run_error(error)

    return Operation("read_result", (run_id,), read)


def list_runs(limit: int) -> Operation[list[Run]]:
    """List up to ``limit`` live and ``limit`` finished runs, newest first, without payload, output and attempts."""

    def read(_: int, value: Any) -> list[Run]:
        return [records.run(fields[0].decode(), pairs(fields[1:])) for fields in value]

    return Operation("list_runs", (limit,), read)


def _fenced(run_id: str, claim: int) -> Callable[[int, bytes], RunStatus]:
    def read(code: int, value: bytes) -> RunStatus:
        if code == 0:
            raise StaleClaimError(run_id, claim, value.decode())
        return RunStatus(value.decode())

    return read


def reset_key(task_id: str, digest: str) -> Operation[str | None]:
    """Free the idempotency key of a task on one shard. Reads as the run that had it, None when no run had."""
    idempotency = f"{task_id}:{digest}"
    return Operation("reset_key", (idempotency,), lambda code, value: value.decode() if code == 1 else None)
