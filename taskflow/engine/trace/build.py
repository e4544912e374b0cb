"""Build the trace of a run from its record, its events, and the runs that it has triggered. No I/O."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from taskflow.engine.trace.children import child_spans
from taskflow.engine.trace.code_spans import CodeSpans, attempt_spans
from taskflow.engine.trace.phases import at, attempt_id, parked_intervals, phase_spans, phases_of, within
from taskflow.engine.trace.recorded import Recorded
from taskflow.engine.trace.rows import ROOT, SpanKind, SpanOutcome, Trace, TraceSpan
from taskflow.engine.trace.tree import rows_of
from taskflow.models import Run, RunStatus

_ENDS: Final = {RunStatus.COMPLETED: SpanOutcome.DONE, RunStatus.CANCELED: SpanOutcome.CANCELED}


def build(run: Run, written: Recorded, children: Sequence[Run], read_at: datetime, *, more: bool = False) -> Trace:
    """Return the trace of a run.

    Args:
        read_at: When the record was read.
        more: Whether the run has triggered more runs than ``children``.
    """
    phases = phases_of(run, written.statuses)
    parked = parked_intervals(phases)
    code = CodeSpans(run, written, parked)
    spans = {span.id: span for span in (*phase_spans(run, phases), *attempt_spans(run, parked), *code.spans())}
    made, replaced = child_spans(children, spans)
    spans = {name: span for name, span in spans.items() if name not in replaced}
    spans |= {span.id: span for span in (*made, *_streams(run, written))}
    root = TraceSpan(
        id=ROOT,
        parent=None,
        kind=SpanKind.RUN,
        name=run.task_id,
        began=run.created_at,
        ended=run.finished_at,
        outcome=_ENDS.get(run.status, SpanOutcome.FAILED) if run.is_finished else None,
        error=run.error.type if run.error and run.is_failed else None,
        parked=within(parked, run.created_at, run.finished_at),
        status=run.status,
    )
    return Trace(run, tuple(rows_of(root, spans.values(), code.lines(written.lines, spans))), read_at, more)


def _streams(run: Run, written: Recorded) -> Sequence[TraceSpan]:
    """Return a span without length for each stream, at its first item."""
    spans: list[TraceSpan] = []
    for ms, name in written.streams:
        began = at(ms)
        numbers = [attempt.number for attempt in run.attempts if attempt.started_at <= began]
        parent = attempt_id(numbers[-1]) if numbers else ROOT
        spans.append(TraceSpan(f"stream-{name}", parent, SpanKind.STREAM, name, began, began, note="first items"))
    return spans
