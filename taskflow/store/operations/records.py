"""Read the record of a run, with its attempts, from the fields of its hash."""

import json
from collections.abc import Mapping

from taskflow.definition.documents.readable import read_json, read_object
from taskflow.models import Attempt, AttemptOutcome, Run, RunError, RunStatus
from taskflow.objects.address import address_of, is_address
from taskflow.store.operations.encoding import duration, instant, run_error, text

_OUTCOMES = {RunStatus.COMPLETED: AttemptOutcome.COMPLETED, RunStatus.CANCELED: AttemptOutcome.CANCELED}


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
        error=run_error(fields.get("error")),
        attempts=_attempts(status, fields),
        tags=tuple(json.loads(fields.get("tags", b"[]"))),
        started_at=instant(fields["started"]) if "started" in fields else None,
        finished_at=instant(fields["finished"]) if "finished" in fields else None,
        due_at=instant(fields["due"]) if "due" in fields else None,
        idempotency_key=text(fields.get("key")),
        concurrency_key=text(fields.get("ckey")),
        priority=int(fields.get("priority", 0)) / 1_000_000,
        ttl=duration(fields.get("ttl")),
        max_duration=duration(fields.get("max_duration")),
        metadata=read_object(fields.get("metadata", b"{}")),
        is_test="test" in fields,
        replay_of=text(fields.get("replay_of")),
        parent_id=text(fields.get("parent")),
        root_id=text(fields.get("root")),
        batch_id=text(fields.get("batch")),
        schedule_id=text(fields.get("schedule")),
        hook_errors=_errors(fields.get("hook_errors")),
        version=text(fields.get("version") or None),
        canceled_by=text(fields.get("canceled_by")),
        triggered_by=text(fields.get("origin")),
        dropped_lines=int(fields.get("log_dropped", 0)),
    )


def _value(stored: bytes) -> object:
    """Return a payload or output, or the address of a large one."""
    return address_of(stored) if is_address(stored) else read_json(stored)


def _errors(stored: bytes | None) -> tuple[RunError, ...]:
    return tuple(error for each in json.loads(stored or b"[]") if (error := run_error(each)))


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
        error=run_error(record["error"]),
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
        error=run_error(fields.get("error")) if is_over else None,
    )
