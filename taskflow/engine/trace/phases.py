"""The time of a run outside of its code, from the changes of its status: delays, queueing, waits without a process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.engine.trace.rows import ROOT, Interval, SpanKind, TraceSpan
from taskflow.models import Attempt, Run, RunStatus

_KINDS: Final = {
    RunStatus.PENDING_VERSION: SpanKind.PENDING_VERSION,
    RunStatus.DELAYED: SpanKind.DELAYED,
    RunStatus.QUEUED: SpanKind.QUEUED,
    RunStatus.REATTEMPTING: SpanKind.RETRY_DELAY,
}
_MOMENT: Final = timedelta(milliseconds=5)
"""A run that goes on after a wait is queued for less than this if nothing holds it."""
_NAMES: Final = {
    SpanKind.PENDING_VERSION: "Pending version",
    SpanKind.DELAYED: "Delayed",
    SpanKind.QUEUED: "Queued",
    SpanKind.RETRY_DELAY: "Retry delay",
}


@dataclass(frozen=True, slots=True)
class Phase:
    """A time in which a run had one status."""

    status: RunStatus
    began: datetime
    ended: datetime | None


def at(milliseconds: float) -> datetime:
    """Return the instant of Unix milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def phases_of(run: Run, statuses: Sequence[tuple[int, RunStatus]]) -> list[Phase]:
    """Return the phases of a run in their order. Without events they follow from its record."""
    changes = [(at(ms), status) for ms, status in statuses] or list(_from_record(run))
    phases: list[Phase] = []
    for index, (began, status) in enumerate(changes):
        if status.is_finished:
            break
        ended = changes[index + 1][0] if index + 1 < len(changes) else run.finished_at
        if phases and phases[-1].status is status:
            phases[-1] = Phase(status, phases[-1].began, ended)
        else:
            phases.append(Phase(status, began, ended))
    return phases


def phase_spans(run: Run, phases: Sequence[Phase]) -> Iterator[TraceSpan]:
    """Yield the spans of delays and queueing. Within an attempt the run was queued to go on after a wait."""
    for number, phase in enumerate(phases):
        kind = _KINDS.get(phase.status)
        if kind is None or (phase.ended == phase.began and kind is not SpanKind.QUEUED):
            continue
        attempt = _attempt_at(run, phase.began)
        is_moment = phase.ended is not None and phase.ended - phase.began < _MOMENT
        if attempt is not None and is_moment:
            continue
        is_limited = not run.queue.startswith("task/")
        note = f"for a slot of {run.queue}" if kind is SpanKind.QUEUED and attempt is None and is_limited else ""
        yield TraceSpan(
            id=f"{kind.value}-{number}",
            parent=ROOT if attempt is None else attempt_id(attempt.number),
            kind=kind,
            name=_NAMES[kind] if attempt is None else "Queued to go on",
            began=phase.began,
            ended=phase.ended,
            note=note,
            attempt=attempt.number if attempt else None,
        )


def parked_intervals(phases: Sequence[Phase]) -> tuple[Interval, ...]:
    """Return the intervals in which the run waited without a slot, with the time until it had one again."""
    parked: list[Interval] = []
    was_parked = False
    for phase in phases:
        is_parked = phase.status is RunStatus.WAITING or (was_parked and phase.status is RunStatus.QUEUED)
        if is_parked and was_parked:
            parked[-1] = Interval(parked[-1].began, phase.ended)
        elif is_parked:
            parked.append(Interval(phase.began, phase.ended))
        was_parked = is_parked
    return tuple(parked)


def within(parked: Sequence[Interval], began: datetime, ended: datetime | None) -> tuple[Interval, ...]:
    """Return the parts of intervals that lie within a span."""
    parts: list[Interval] = []
    for interval in parked:
        start = max(interval.began, began)
        ends = [each for each in (interval.ended, ended) if each is not None]
        end = min(ends) if ends else None
        if end is None or start < end:
            parts.append(Interval(start, end))
    return tuple(parts)


def attempt_id(number: int) -> str:
    """Return the id of an attempt's span."""
    return f"attempt-{number}"


def _attempt_at(run: Run, instant: datetime) -> Attempt | None:
    """Return the attempt that had begun and not ended at an instant."""
    for attempt in run.attempts:
        is_over = attempt.finished_at is not None and instant >= attempt.finished_at
        if attempt.started_at < instant and not is_over:
            return attempt
    return None


def _from_record(run: Run) -> Iterator[tuple[datetime, RunStatus]]:
    """Yield the changes that a record alone tells: of a run whose events are gone."""
    if run.due_at is not None and not run.attempts:
        yield run.created_at, RunStatus.DELAYED
        if run.due_at < datetime.now(UTC):
            yield run.due_at, RunStatus.QUEUED
    else:
        yield run.created_at, run.status if not (run.attempts or run.is_finished) else RunStatus.QUEUED
    for attempt, following in zip(run.attempts, [*run.attempts[1:], None], strict=True):
        yield attempt.started_at, RunStatus.EXECUTING
        if attempt.finished_at is not None and (following is not None or not run.is_finished):
            yield attempt.finished_at, RunStatus.REATTEMPTING
    if run.finished_at is not None:
        yield run.finished_at, run.status
