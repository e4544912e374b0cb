"""Turn a run's record in the store into rows, and rows into a run. Fields without a column stay in ``record``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from taskflow.definition.documents.hiding import NOTHING_HIDDEN, Hiding
from taskflow.definition.documents.secret_texts import Secrets, shown_error
from taskflow.history.fingerprints import Failure, Fingerprint, fingerprint_of
from taskflow.models import Attempt, AttemptOutcome, Run, RunError, RunStatus
from taskflow.objects.address import is_address
from taskflow.store.operations import records
from taskflow.store.operations.encoding import error_json, instant, run_error

Row = dict[str, Any]
SEARCHED: Final = 500
"""The number of characters of an error's type and message that can be searched."""
_COLUMNS: Final = {
    "task": "task_id",
    "status": "status",
    "queue": "queue",
    "version": "version",
    "batch": "batch_id",
    "schedule": "schedule_id",
    "parent": "parent_id",
    "root": "root_id",
    "key": "idempotency_key",
    "tags": "tags",
    "error": "error",
    "metadata": "metadata",
    "payload": "payload",
    "output": "output",
}
"""Fields of the store's record that are columns of text."""
_NUMBERS: Final = ("created", "finished")
_OWN: Final = frozenset(
    {"class", "test", "attempt", "claim", "attempt_started", "node", "nonce", "order", "slot", "ticket", "pid"}
    | {"reservation", "republished", "idempotency", "args", "log_lines", "log_bytes"}
)
"""Fields about the execution of a run, or that other columns and tables hold."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One run's rows. ``run_id`` is the id in the store; that in the rows may be ``clean``.

    Attributes:
        failures: Its failed attempts by their numbers.
        failure: The error that ended it, None if it has not failed.
    """

    run_id: str
    run: Row
    attempts: list[Row]
    tags: list[Row]
    error: Row | None
    failures: Mapping[int, Failure]
    failure: Failure | None


def rows_of(
    environment: str, run_id: str, revision: int, fields: Mapping[str, bytes], hiding: Hiding = NOTHING_HIDDEN
) -> Rows:
    """Return the rows of a record as it was read after the entry ``revision`` had been written.

    Args:
        hiding: Values that the messages of groups of errors must not have.
    """
    run = records.run(clean(run_id), fields)
    texts = {name: clean(value.decode(errors="replace")) for name, value in fields.items()}
    row: Row = {column: texts.get(field) for field, column in _COLUMNS.items()}
    row |= {name: int(float(texts[name])) if name in texts else None for name in _NUMBERS}
    row |= {"id": run.id, "environment": environment, "revision": revision}
    row |= {"machine": run.machine, "executor": run.executor, "is_test": bool(texts.get("test"))}
    row["record"] = json.dumps({name: text for name, text in texts.items() if _is_further(name)})
    tags = [
        {"environment": environment, "tag": clean(tag), "created": row["created"], "run_id": run.id}
        for tag in dict.fromkeys(run.tags)
    ]
    attempts = [_attempt_row(run.id, revision, attempt) for attempt in run.attempts]
    shown = _without_hidden(run, fields, hiding) if hiding else run
    failures = {attempt.number: failure for attempt in shown.attempts if (failure := _failure_of(shown, attempt))}
    failure = _end_of(shown, failures)
    return Rows(run_id, row, attempts, tags, _error_row(run, row, failure), failures, failure)


def _without_hidden(run: Run, fields: Mapping[str, bytes], hiding: Hiding) -> Run:
    """Return a run whose errors do not repeat hidden values. Those of large values are not known here."""
    documents = [fields[name] for name in ("payload", "output", "metadata") if name in fields]
    is_known = not any(map(is_address, documents))
    secrets = hiding.secrets(documents) if is_known else Secrets(is_everything=True)
    attempts = tuple(replace(attempt, error=shown_error(attempt.error, secrets)) for attempt in run.attempts)
    return replace(run, error=shown_error(run.error, secrets), attempts=attempts)


def run_of(row: Mapping[Any, Any], attempts: tuple[Attempt, ...] = ()) -> Run:
    """Return the run of a row. Columns that were not selected are as if they were empty."""
    texts: dict[str, Any] = json.loads(row["record"])
    texts |= {field: row[column] for field, column in _COLUMNS.items() if row.get(column) is not None}
    texts |= {name: str(row[name]) for name in _NUMBERS if row[name] is not None}
    texts["class"] = f"{row['machine']}.{row['executor']}"
    if row["is_test"]:
        texts["test"] = "1"
    fields = {name: str(text).encode(errors="replace") for name, text in texts.items()}
    return replace(records.run(row["id"], fields), attempts=attempts)


def attempt_of(row: Mapping[Any, Any]) -> Attempt:
    """Return the attempt of a row."""
    return Attempt(
        number=row["number"],
        claim=row["claim"],
        node=row["node"],
        started_at=instant(row["started"]),
        finished_at=None if row["finished"] is None else instant(row["finished"]),
        outcome=None if row["outcome"] is None else AttemptOutcome(row["outcome"]),
        error=run_error(row["error"].encode() if row["error"] else None),
    )


def clean(text: str) -> str:
    """Return the text without NUL and lone surrogates, which PostgreSQL's text or UTF-8 cannot hold."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def milliseconds(instant: datetime) -> int:
    """Return an instant as the tables hold it."""
    return round(instant.timestamp() * 1000)


def _is_further(name: str) -> bool:
    return name not in _COLUMNS and name not in _NUMBERS and name not in _OWN and not name.startswith("attempt:")


def _attempt_row(run_id: str, revision: int, attempt: Attempt) -> Row:
    return {
        "run_id": run_id,
        "number": attempt.number,
        "revision": revision,
        "claim": attempt.claim,
        "node": clean(attempt.node),
        "started": milliseconds(attempt.started_at),
        "finished": milliseconds(attempt.finished_at) if attempt.finished_at else None,
        "outcome": attempt.outcome.value if attempt.outcome else None,
        "error": error_json(attempt.error) if attempt.error else None,
    }


def _failure_of(run: Run, attempt: Attempt) -> Failure | None:
    """Return the failure of an attempt that failed or was lost."""
    if attempt.error is None or attempt.outcome not in (AttemptOutcome.FAILED, AttemptOutcome.LOST):
        return None
    at_ms = milliseconds(attempt.finished_at or attempt.started_at)
    return Failure(cleaned(attempt.error), at_ms, clean(run.task_id), clean(run.version or ""))


def _end_of(run: Run, failures: Mapping[int, Failure]) -> Failure | None:
    """Return the failure that ended a run: mostly that of its last attempt."""
    if run.error is None or not run.is_failed:
        return None
    last = failures.get(run.attempts[-1].number) if run.attempts else None
    if last is not None and run.attempts[-1].error == run.error:
        return replace(last, is_run=True)
    at_ms = milliseconds(run.finished_at or run.created_at)
    return Failure(cleaned(run.error), at_ms, clean(run.task_id), clean(run.version or ""), is_run=True)


def cleaned(error: RunError) -> Fingerprint:
    """Return the group of an error as the tables can hold it."""
    found = fingerprint_of(error)
    return replace(found, type=clean(found.type), message=clean(found.message), frame=clean(found.frame))


def _error_row(run: Run, row: Row, failure: Failure | None) -> Row | None:
    if run.error is None or run.status is RunStatus.COMPLETED:
        return None
    fingerprint = failure.fingerprint.id if failure else None
    return error_row(run.id, row["environment"], row["created"], run.error, fingerprint)


def error_row(run_id: str, environment: str, created: int, error: RunError, fingerprint: str | None) -> Row:
    """Return the row by which a run's error is found."""
    text = clean(f"{error.type}: {error.message}"[:SEARCHED].lower())
    row: Row = {"run_id": run_id, "environment": environment, "created": created, "text": text}
    return row | {"fingerprint": fingerprint}
