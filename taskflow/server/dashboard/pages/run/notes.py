"""Notes of a trace's rows that other records tell: the names of tokens, and how a retry's delay came about."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from taskflow.definition.retry import Retry
from taskflow.engine.engine import Engine
from taskflow.engine.trace.rows import SpanKind, Trace, TraceLine, TraceSpan
from taskflow.models import Run
from taskflow.server.dashboard.shared_reads import shared
from taskflow.server.dashboard.token_names import names_of
from taskflow.server.dashboard.view.durations import duration

_MOST_TOKENS: Final = 20
_DECLARED_SECONDS: Final = 30.0
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_LATE: Final = timedelta(seconds=0.5)
"""A timer may be so late, and the clocks of two hosts may differ by so much."""


async def with_notes(engine: Engine, trace: Trace) -> Trace:
    """Return a trace whose waits for tokens have the tokens' names as notes, and whose delays the reason of theirs."""
    spans = trace.spans
    tokens = {str(span.fields.get("token", "")) for span in spans if _is_token(span)}
    names = await names_of(engine, sorted(tokens - {""})[:_MOST_TOKENS])
    delays = [span for span in spans if span.kind is SpanKind.RETRY_DELAY and ":" not in span.id]
    policy = await _policy(engine, trace.run.task_id) if delays else None
    notes = {span.id: names.get(str(span.fields.get("token", "")), "") for span in spans if _is_token(span)}
    notes |= {span.id: delay_note(policy, trace.run, span) for span in delays} if policy else {}
    if not any(notes.values()):
        return trace
    rows = [
        row
        if isinstance(row.item, TraceLine)
        else replace(row, item=replace(row.item, note=notes.get(row.item.id) or row.item.note))
        for row in trace.rows
    ]
    return replace(trace, rows=tuple(rows))


def delay_note(policy: Retry, run: Run, span: TraceSpan) -> str:
    """Return how a delay follows from the policy; "" for one that the code has asked for."""
    failed = sum(attempt.started_at < span.began for attempt in run.attempts)
    ended = span.ended or run.due_at
    if failed < 1 or ended is None:
        return ""
    took = ended - span.began
    shortest = policy.delay_after(failed, lambda: 0.0)
    longest = policy.delay_after(failed, lambda: 1.0)
    if not shortest or not shortest - _LATE <= took <= longest + _LATE:
        return ""
    if abs(took - policy.max_delay) <= _LATE and longest == policy.max_delay:
        return f"{duration(policy.max_delay)} at most"
    if not policy.randomize:
        return f"{duration(policy.min_delay)} {_TIMES} {policy.factor:g}^{failed - 1}" if failed > 1 else ""
    return f"{duration(shortest)} {_TIMES} {min(max(took / shortest, 1.0), 2.0):.2f}, randomized"


def _is_token(span: TraceSpan) -> bool:
    return span.kind is SpanKind.WAIT and span.name == "token"


async def _policy(engine: Engine, task_id: str) -> Retry | None:
    async def read() -> Retry | None:
        record = await engine.nodes.atask(task_id)
        told = record.details.retry if record is not None and record.details is not None else None
        if told is None:
            return None
        return Retry(told.max_attempts, told.factor, told.min_delay, told.max_delay, told.randomize)

    return await shared(engine, f"retry of {task_id}", _DECLARED_SECONDS, read)
