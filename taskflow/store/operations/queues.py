"""The operations on queues and on the environment as a whole."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from taskflow.errors import QueueNotFoundError
from taskflow.models import QueueState
from taskflow.seams.engine import QueueCommand
from taskflow.store.operations.encoding import instant
from taskflow.store.operations.operation import Operation


def control_queue(
    queue: str, command: QueueCommand, limit: int | None = None, by: str = "", note: str = ""
) -> Operation[int]:
    """Pause, resume or limit a queue, or the environment for "". Resuming that needs a sweep of its queues afterwards.

    ``by`` names who asks, for people; ``note`` is why a queue is paused.

    Raises (when read):
        QueueNotFoundError: Nobody has declared it and no run has used it.
    """

    def read(code: int, value: Any) -> int:
        if code == 0:
            raise QueueNotFoundError(queue)
        return int(value)

    return Operation("control_queue", (queue, command, "" if limit is None else limit, by, note), read)


def read_queues(queue: str = "") -> Operation[list[QueueState]]:
    """Read one queue, or the environment (named "") and all queues of a shard.

    Raises (when read):
        QueueNotFoundError: Nobody has declared it and no run has used it.
    """

    def read(code: int, value: Any) -> list[QueueState]:
        if code == 0:
            raise QueueNotFoundError(queue)
        return [_state(*fields) for fields in value]

    return Operation("read_queues", (queue,), read)


def note_refusal(celery_queue: str, said: str) -> Operation[int]:
    """Keep what the broker said when it refused the tickets of a Celery queue."""
    return Operation("note_refusal", (celery_queue, said), lambda _, value: int(value))


def _state(name: bytes, *fields: bytes) -> QueueState:
    limit, per_key, total, rate, period, override, overridden, overridden_by, paused, paused_by, *rest = fields
    paused_note, burst, *loads = rest
    running, queued, delayed, pending = loads
    return QueueState(
        name=name.decode(),
        running=int(running or 0),
        queued=int(queued or 0),
        delayed=int(delayed or 0),
        pending_version=int(pending or 0),
        concurrency_limit=_number(override or limit),
        declared_limit=_number(limit),
        per_key_limit=_number(per_key),
        total_limit=_number(total),
        rate_limit=_rate(rate, period),
        overridden_at=instant(overridden) if overridden else None,
        paused_at=instant(paused) if paused else None,
        paused_by=paused_by.decode() or None,
        paused_note=paused_note.decode() or None,
        overridden_by=overridden_by.decode() or None,
        burst_factor=float(burst) if burst else None,
    )


def _number(stored: bytes) -> int | None:
    return int(stored) if stored else None


def _rate(count: bytes, period: bytes) -> str | None:
    if not count:
        return None
    seconds = timedelta(microseconds=int(period)).total_seconds()
    return f"{int(count)}/{seconds:g}s"


def merged(states: Sequence[QueueState]) -> QueueState:
    """Return the environment's state of all its shards as one."""
    first = states[0]
    limits = [state.concurrency_limit for state in states if state.concurrency_limit is not None]
    return QueueState(
        name="",
        concurrency_limit=sum(limits) if limits else None,
        paused_at=first.paused_at,
        paused_by=first.paused_by,
        paused_note=first.paused_note,
        burst_factor=first.burst_factor,
    )
