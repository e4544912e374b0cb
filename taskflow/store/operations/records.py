"""Turn what the store holds into values: run hashes, attempts, claims, tickets."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from taskflow.models import Attempt, AttemptOutcome, ErrorCause, Run, RunError, RunStatus
from taskflow.objects.address import address_of, is_address

_OUTCOMES = {RunStatus.COMPLETED: AttemptOutcome.COMPLETED, RunStatus.CANCELED: AttemptOutcome.CANCELED}


@dataclass(frozen=True, slots=True)
class Ticket:
    """A broker message that says a run may start, under a reservation number."""

    run_id: str
    task_id: str
    reservation: int
    queue: str
    argsrepr: str = ""


@dataclass(slots=True)
class ClaimedRun:
    """What a node needs to execute a run it has claimed. ``claim`` fences every write; it grows at each resume."""

    run_id: str
    claim: int
    attempt_number: int
    failed_attempts: int
    max_attempts: int
    created_at: datetime
    started_at: datetime
    payload: bytes
    tags: tuple[str, ...]
    idempotency_key: str | None
    queue: str
    machine: str
    concurrency_key: str | None = None
    is_test: bool = False
    replay_of: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    batch_id: str | None = None
    priority: float = 0.0
    max_duration: timedelta | None = None
    metadata: bytes = b""
    place: str = ""
    """Its place in the order of its queue, which runs that it waits for take over."""
    is_resumed: bool = False
    """Whether it goes on after a wait: the attempt is not a new one."""
    computed: timedelta = timedelta(0)
    """How long the attempt has computed before, waits not counted."""
    ended: RunStatus | None = None
    """The final status when only the final hooks are left to run, with what the run ended with."""
    error: RunError | None = None
    output: bytes | None = None

    @property
    def time_left(self) -> timedelta | None:
        """How long the attempt may compute from now on, None for ever."""
        return None if self.max_duration is None else self.max_duration - self.computed


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


def instant(milliseconds: bytes | str | float) -> datetime:
    """Return the aware UTC instant of a store timestamp."""
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)


def pairs(flat: Sequence[bytes]) -> dict[str, bytes]:
    """Return the fields of a flat ``field, value, ...`` reply."""
    return {flat[index].decode(): flat[index + 1] for index in range(0, len(flat), 2)}


def ticket(fields: Sequence[bytes]) -> Ticket:
    """Return a ticket that a script left to its caller."""
    run_id, task_id, reservation, queue, args = fields
    return Ticket(run_id.decode(), task_id.decode(), int(reservation), queue.decode(), args.decode())


def error_json(error: RunError) -> str:
    """Return the stored form ``{"type", "message", "traceback"}`` of an error, with ``"causes"`` if it has any."""
    told: dict[str, object] = {"type": error.type, "message": error.message, "traceback": error.traceback}
    if error.causes:  # never an empty list: Lua would write it back as an object
        told["causes"] = [{"type": cause.type, "message": cause.message} for cause in error.causes]
    return json.dumps(told)


def error(stored: bytes | str | Mapping[str, str] | None) -> RunError | None:
    """Return the error of its stored form."""
    if not stored:
        return None
    fields = stored if isinstance(stored, Mapping) else cast("Mapping[str, str]", json.loads(stored))
    causes = cast("Sequence[Mapping[str, str]]", fields.get("causes", ()))
    return RunError(
        fields["type"],
        fields["message"],
        fields.get("traceback", ""),
        tuple(ErrorCause(cause["type"], cause["message"]) for cause in causes),
    )


def claimed_run(run_id: str, fields: Sequence[bytes | None], *, is_ended: bool = False) -> ClaimedRun:
    """Return a claim from the reply of ``claim_run.lua``."""
    claim, attempt, failed, max_attempts, created, payload, tags, key, queue, started, class_name, *further = fields
    ckey, test, replay_of, parent, root, batch, priority, max_duration, status, failure, output, metadata, *rest = (
        further
    )
    place, resumed, computed = rest
    return ClaimedRun(
        run_id=run_id,
        claim=int(claim or 0),
        attempt_number=int(attempt or 0),
        failed_attempts=int(failed or 0),
        max_attempts=int(max_attempts or 1),
        created_at=instant(created or 0),
        started_at=instant(started or 0),
        payload=payload or b"null",
        tags=tuple(json.loads(tags)) if tags else (),
        idempotency_key=key.decode() if key else None,
        queue=(queue or b"").decode(),
        machine=(class_name or b"").decode().rpartition(".")[0],
        concurrency_key=_text(ckey),
        is_test=test is not None,
        replay_of=_text(replay_of),
        parent_id=_text(parent),
        root_id=_text(root),
        batch_id=_text(batch),
        priority=int(priority or 0) / 1_000_000,
        max_duration=_duration(max_duration),
        metadata=metadata or b"",
        place=(place or b"").decode(),
        is_resumed=resumed is not None,
        computed=timedelta(milliseconds=int(computed or 0)),
        ended=RunStatus((status or b"").decode()) if is_ended else None,
        error=error(failure) if is_ended else None,
        output=output if is_ended else None,
    )


def _text(stored: bytes | None) -> str | None:
    return None if stored is None else stored.decode()


def _duration(stored: bytes | None) -> timedelta | None:
    return None if stored is None else timedelta(milliseconds=int(stored))


def run(run_id: str, fields: Mapping[str, bytes]) -> Run:
    """Return a run from the fields of its hash."""
    status = RunStatus(fields["status"].decode())
    machine, _, executor = fields["class"].decode().rpartition(".")
    return Run(
        id=run_id,
        task_id=fields["task"].decode(),
        status=status,
        queue=fields["queue"].decode(),
        machine=machine,
        executor=executor,
        created_at=instant(fields["created"]),
        max_attempts=int(fields["max_attempts"]),
        payload=_value(fields.get("payload", b"null")),
        output=_value(fields.get("output", b"null")),
        error=error(fields.get("error")),
        attempts=_attempts(status, fields),
        tags=tuple(json.loads(fields.get("tags", b"[]"))),
        started_at=instant(fields["started"]) if "started" in fields else None,
        finished_at=instant(fields["finished"]) if "finished" in fields else None,
        due_at=instant(fields["due"]) if "due" in fields else None,
        idempotency_key=_text(fields.get("key")),
        concurrency_key=_text(fields.get("ckey")),
        priority=int(fields.get("priority", 0)) / 1_000_000,
        ttl=_duration(fields.get("ttl")),
        max_duration=_duration(fields.get("max_duration")),
        metadata=json.loads(fields.get("metadata", b"{}")),
        is_test="test" in fields,
        replay_of=_text(fields.get("replay_of")),
        parent_id=_text(fields.get("parent")),
        root_id=_text(fields.get("root")),
        batch_id=_text(fields.get("batch")),
        hook_errors=_errors(fields.get("hook_errors")),
        version=_text(fields.get("version") or None),
    )


def _value(stored: bytes) -> object:
    """Return a payload or output, or the address of a large one."""
    return address_of(stored) if is_address(stored) else json.loads(stored)


def _errors(stored: bytes | None) -> tuple[RunError, ...]:
    return tuple(found for each in json.loads(stored or b"[]") if (found := error(each)))


def _attempts(status: RunStatus, fields: Mapping[str, bytes]) -> tuple[Attempt, ...]:
    """Return the recorded attempts, and the current or last one, which is read from the run's own fields."""
    current = int(fields.get("attempt", b"0"))
    attempts = [
        _recorded_attempt(number, stored)
        for number in range(1, current + 1)
        if (stored := fields.get(f"attempt:{number}")) is not None
    ]
    if current and f"attempt:{current}" not in fields:
        attempts.append(_own_attempt(current, status, fields))
    return tuple(attempts)


def _recorded_attempt(number: int, stored: bytes) -> Attempt:
    record = json.loads(stored)
    return Attempt(
        number=number,
        claim=record["claim"],
        node=record["node"],
        started_at=instant(record["started"]),
        finished_at=instant(record["finished"]),
        outcome=AttemptOutcome(record["outcome"]),
        error=error(record["error"]),
    )


def _own_attempt(number: int, status: RunStatus, fields: Mapping[str, bytes]) -> Attempt:
    is_over = status.is_finished
    return Attempt(
        number=number,
        claim=int(fields["claim"]),
        node=fields.get("node", b"").decode(),
        started_at=instant(fields["attempt_started"]),
        finished_at=instant(fields["finished"]) if is_over else None,
        outcome=_OUTCOMES.get(status, AttemptOutcome.FAILED) if is_over else None,
        error=error(fields.get("error")) if is_over else None,
    )
