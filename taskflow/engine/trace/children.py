"""The spans of the runs that a run has triggered, in the spans that have triggered them or wait for them."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, cast

from taskflow.engine.trace.rows import ROOT, SpanKind, SpanOutcome, TraceSpan
from taskflow.models import Run, RunStatus

_CODE: Final = (SpanKind.ATTEMPT, SpanKind.MIDDLEWARE, SpanKind.HOOK, SpanKind.FUNCTION, SpanKind.SPAN, SpanKind.STEP)


def child_spans(children: Sequence[Run], spans: Mapping[str, TraceSpan]) -> tuple[list[TraceSpan], set[str]]:
    """Return the spans of child runs, and the ids of the waits that they replace: those for one run alone."""
    waits = {run_id: span for span in spans.values() for run_id in _awaited(span)}
    code = sorted((span for span in spans.values() if span.kind in _CODE), key=lambda span: span.began)
    begins = [span.began for span in code]
    made: list[TraceSpan] = []
    replaced: set[str] = set()
    for child in children:
        wait = waits.get(child.id)
        parent = (
            wait.id if wait is not None else _around(child.created_at, code[: bisect_right(begins, child.created_at)])
        )
        if wait is not None and wait.name == "task":
            replaced.add(wait.id)
            parent = wait.parent or ROOT
        made.append(_span(child, parent, wait))
    return made, replaced


def _span(child: Run, parent: str, wait: TraceSpan | None) -> TraceSpan:
    outcome = None
    if child.is_finished:
        outcome = SpanOutcome.FAILED if child.is_failed else SpanOutcome.DONE
        outcome = SpanOutcome.CANCELED if child.status is RunStatus.CANCELED else outcome
    return TraceSpan(
        id=f"child-{child.id}",
        parent=parent,
        kind=SpanKind.CHILD,
        name=child.task_id,
        note=child.id,
        began=child.created_at,
        ended=child.finished_at,
        outcome=outcome,
        error=child.error.type if child.error and child.is_failed else None,
        attempt=wait.attempt if wait else None,
        run_id=child.id,
        status=child.status,
    )


def _awaited(span: TraceSpan) -> Iterator[str]:
    if span.kind is SpanKind.WAIT and isinstance(span.fields.get("runs"), list):
        yield from map(str, cast("list[object]", span.fields["runs"]))


def _around(instant: datetime, begun: Sequence[TraceSpan]) -> str:
    """Return the id of the newest span that goes on at an instant, of those that have begun, in their order."""
    return next((span.id for span in reversed(begun) if span.ended is None or instant <= span.ended), ROOT)
