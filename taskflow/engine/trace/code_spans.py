"""The spans of a run's code: attempts, and what their processes have written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from taskflow.engine.trace.phases import at, attempt_id, within
from taskflow.engine.trace.recorded import Recorded, RecordedLine, RecordedSpan, SpanKey
from taskflow.engine.trace.rows import ROOT, Interval, SpanKind, SpanOutcome, TraceLine, TraceSpan
from taskflow.models import Attempt, AttemptOutcome, Run

_KINDS: Final = {kind.value: kind for kind in SpanKind}
_OUTCOMES: Final = {
    AttemptOutcome.COMPLETED: SpanOutcome.DONE,
    AttemptOutcome.FAILED: SpanOutcome.FAILED,
    AttemptOutcome.LOST: SpanOutcome.LOST,
    AttemptOutcome.INTERRUPTED: SpanOutcome.INTERRUPTED,
    AttemptOutcome.CANCELED: SpanOutcome.CANCELED,
}


def attempt_spans(run: Run, parked: Sequence[Interval]) -> Iterator[TraceSpan]:
    """Yield the spans of a run's attempts."""
    for attempt in run.attempts:
        yield TraceSpan(
            id=attempt_id(attempt.number),
            parent=ROOT,
            kind=SpanKind.ATTEMPT,
            name=f"Attempt {attempt.number}",
            began=attempt.started_at,
            ended=attempt.finished_at,
            note=attempt.node,
            outcome=_OUTCOMES[attempt.outcome] if attempt.outcome else None,
            error=attempt.error.type if attempt.error and attempt.outcome is not AttemptOutcome.COMPLETED else None,
            attempt=attempt.number,
            parked=within(parked, attempt.started_at, attempt.finished_at),
        )


class CodeSpans:
    """The spans that the processes of a run's attempts have written, with their ends.

    The process of a span that was written while it was open may have died since. Such a span ends with its attempt, or
    when another process has gone on with the attempt.
    """

    def __init__(self, run: Run, written: Recorded, parked: Sequence[Interval]) -> None:
        self._attempts = {attempt.number: attempt for attempt in run.attempts}
        self._parked = parked
        self._spans = _joined(written.spans)
        self._loaded: dict[tuple[int, int], float] = {}
        for span in written.spans.values():
            loaded = span.attempt, span.key[0]
            self._loaded[loaded] = min(self._loaded.get(loaded, span.began_ms), span.began_ms)

    def spans(self) -> Iterator[TraceSpan]:
        """Yield them."""
        for span in self._spans.values():
            kind = _KINDS.get(span.kind, SpanKind.SPAN)
            began, attempt = at(span.began_ms), self._attempts.get(span.attempt)
            if attempt is not None and span.parent is None:
                began = max(began, attempt.started_at)  # the clocks of node and store differ
            ended, outcome = self._end(span, attempt)
            if ended is not None:
                ended = max(began, ended)
            yield TraceSpan(
                id=span_id(span.key),
                parent=self._parent(span.key, span.parent, attempt, began),
                kind=kind,
                name=span.name,
                began=began,
                ended=ended,
                note=span.note,
                outcome=outcome,
                error=span.error,
                attempt=span.attempt,
                parked=within(self._parked, began, ended) if kind is not SpanKind.WAIT else (),
                fields=span.fields,
            )

    def lines(self, written: Iterable[RecordedLine], spans: Mapping[str, TraceSpan]) -> Iterator[TraceLine]:
        """Yield log lines with their parents: the span around each, else its attempt's function at that time."""
        functions: dict[int | None, list[TraceSpan]] = {}
        for span in spans.values():
            if span.kind is SpanKind.FUNCTION:
                functions.setdefault(span.attempt, []).append(span)
        for each in written:
            line, around = each.line, each.within
            if around is not None and span_id(around) in spans:
                yield TraceLine(line, span_id(around))
                continue
            own = attempt_id(line.attempt) if line.attempt in self._attempts else ROOT
            here = (span.id for span in functions.get(line.attempt, ()) if _contains(span, line.at))
            yield TraceLine(line, next(here, own))

    def _parent(self, key: SpanKey, parent: int | None, attempt: Attempt | None, began: datetime) -> str:
        if parent is not None and (key[0], parent) in self._spans:
            return span_id((key[0], parent))
        is_after = attempt is not None and attempt.finished_at is not None and began > attempt.finished_at
        return ROOT if attempt is None or is_after else attempt_id(attempt.number)

    def _end(self, span: RecordedSpan, attempt: Attempt | None) -> tuple[datetime | None, SpanOutcome | None]:
        if span.took_ms is not None:
            outcome = SpanOutcome.UNLOADED if span.is_left else SpanOutcome.FAILED if span.error else SpanOutcome.DONE
            if outcome is SpanOutcome.FAILED and attempt is not None and attempt.outcome is AttemptOutcome.CANCELED:
                outcome = SpanOutcome.CANCELED
            return at(span.began_ms + span.took_ms), outcome
        ends = [
            began
            for (number, claim), began in self._loaded.items()
            if number == span.attempt and claim > span.key[0] and not span.is_left
        ]
        if ends:
            return at(min(ends)), SpanOutcome.LOST
        if attempt is None or attempt.finished_at is None:
            return None, None
        outcome = _OUTCOMES.get(attempt.outcome or AttemptOutcome.LOST, SpanOutcome.LOST)
        return attempt.finished_at, SpanOutcome.LOST if outcome is SpanOutcome.DONE else outcome


def span_id(key: SpanKey) -> str:
    """Return the id of a span that a process has written."""
    return f"{key[0]}.{key[1]}"


def _joined(spans: Mapping[SpanKey, RecordedSpan]) -> dict[SpanKey, RecordedSpan]:
    """Return the spans, those of one step or wait of an attempt as one: a later claim has gone on with it."""
    joined: dict[SpanKey, RecordedSpan] = {}
    first: dict[tuple[int, str], SpanKey] = {}
    for key in sorted(spans):
        span = spans[key]
        known = first.setdefault((span.attempt, span.place), key) if span.place else key
        if known == key:
            joined[key] = span
            continue
        before = joined[known]
        took = None if span.took_ms is None else span.began_ms + span.took_ms - before.began_ms
        fields = {**before.fields, **span.fields}
        joined[known] = replace(before, took_ms=took, error=span.error, is_left=span.is_left, fields=fields)
    return joined


def _contains(span: TraceSpan, instant: datetime) -> bool:
    return span.began <= instant and (span.ended is None or instant <= span.ended)
