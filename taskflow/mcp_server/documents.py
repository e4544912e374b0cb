"""Records as results of tools: plain JSON without empty fields. Times are UTC in ISO 8601, durations ISO 8601 too."""

from collections.abc import Mapping
from typing import Any, Final

from taskflow.models import Run
from taskflow.seams.record_documents import record_document

_SHORT: Final = 120
_MESSAGE: Final = 300
_TAGS: Final = 5


def document_of(record: object) -> dict[str, Any]:
    """Return a record without its empty fields."""
    return filled(record_document(record))


def filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields without those that are null or empty. Zero and false are values."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], {})}


def whole_run(run: Run) -> dict[str, Any]:
    """Return a run with everything that is known of it."""
    document = record_document(run)
    given = {"payload": document["payload"]}  # null and empty values are payloads and outputs, too
    if run.is_finished and run.error is None:
        given["output"] = document["output"]
    return {"is_finished": run.is_finished} | filled(document) | given


def short_run(run: Run) -> dict[str, Any]:
    """Return a run as lists show it, of a bounded size."""
    error = run.error and {"type": short(run.error.type), "message": short(run.error.message, _MESSAGE)}
    times = ("created_at", "started_at", "finished_at", "due_at")
    document = document_of(run)
    return filled(
        {
            "id": run.id,
            "task_id": short(run.task_id),
            "status": run.status.value,
            "queue": short(run.queue),
            **{name: document.get(name) for name in times},
            "error": error,
            "tags": [short(tag) for tag in run.tags[:_TAGS]],
            "version": run.version and short(run.version),
            **{name: document.get(name) for name in ("parent_id", "batch_id", "schedule_id", "replay_of", "is_test")},
        }
    )


def short(text: str, most: int = _SHORT) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= most else f"{text[:most]}..."
