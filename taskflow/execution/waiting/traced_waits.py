"""The spans of waits: what a run waits for, and from when to when."""

from taskflow.execution.reporting.span_book import shown_runs
from taskflow.execution.reporting.spans import traced
from taskflow.seams.waits import Wait, WaitRequest


def traced_wait(request: WaitRequest, key: str = "", began_ms: int | None = None, kind: str = "") -> traced:
    """Return the span of a wait: its name is the kind of the wait, its note the task, token or stream.

    Args:
        key: Its place in a durable run's journal.
        began_ms: When an earlier claim has begun it.
        kind: Its kind. Default: that of the request.
    """
    known, _, note = request.described.partition(" ")
    return traced("wait", kind or known, note, key=key, began_ms=began_ms)


def facts_of(wait: Wait) -> dict[str, object]:
    """Return the facts of a wait that has begun: ``{"until", "token", "runs", "batch"}`` without those it has not."""
    facts: dict[str, object] = {
        "until": wait.until.isoformat() if wait.until else None,
        "token": wait.token_id,
        "runs": shown_runs(wait.run_ids),
        "batch": wait.batch_id,
    }
    return {name: value for name, value in facts.items() if value}
