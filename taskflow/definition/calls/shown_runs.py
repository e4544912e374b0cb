"""Runs and log lines without the values at the paths of TASKFLOW_REDACT, and without texts that repeat them. No I/O."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from taskflow.definition.calls.log_line import LogLine
from taskflow.definition.documents.exact_json import is_object
from taskflow.definition.documents.hiding import Hiding
from taskflow.definition.documents.secret_texts import Secrets, shown_error
from taskflow.models import Run


def shown_run(run: Run, hiding: Hiding, secrets: Secrets) -> Run:
    """Return a run as it may be shown. ``secrets``: the hidden values of its documents."""
    reason = run.reason and replace(run.reason, text=secrets.scrub(run.reason.text))
    errors = [shown_error(error, secrets) for error in run.hook_errors]
    return replace(
        run,
        payload=hiding.value(run.payload),
        output=hiding.value(run.output),
        metadata=cast("Mapping[str, object]", _object(hiding.value(run.metadata))),
        error=shown_error(run.error, secrets),
        attempts=tuple(replace(each, error=shown_error(each.error, secrets)) for each in run.attempts),
        hook_errors=tuple(error for error in errors if error is not None),
        tags=tuple(map(secrets.scrub, run.tags)),
        idempotency_key=run.idempotency_key and secrets.scrub(run.idempotency_key),
        concurrency_key=run.concurrency_key and secrets.scrub(run.concurrency_key),
        reason=reason,
    )


def shown_line(line: LogLine, hiding: Hiding, secrets: Secrets) -> LogLine:
    """Return a log line as it may be shown."""
    return replace(line, message=secrets.scrub(line.message), fields=shown_fields(line.fields, hiding, secrets))


def shown_fields(fields: Mapping[str, object], hiding: Hiding, secrets: Secrets) -> dict[str, object]:
    """Return fields of a span or log line without hidden values."""
    own = cast("dict[str, object]", hiding.value(dict(fields)))
    return {secrets.scrub(name): _cleared(value, secrets) for name, value in own.items()}


def _cleared(value: object, secrets: Secrets) -> object:
    """Return a value, or, where its text repeats a hidden one, that text without it."""
    text = str(value)
    cleared = secrets.scrub(text)
    return value if cleared == text else cleared


def _object(value: object) -> object:
    return value if is_object(value) else {}
