"""The rows of a trace as the page shows them: icon, words, and bars in percent of the axis."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup

from taskflow.engine.trace.rows import ROOT, SpanKind, SpanOutcome, Trace, TraceLine, TraceRow, TraceSpan
from taskflow.models import RunStatus
from taskflow.server.dashboard.pages.run.axis import Axis
from taskflow.server.dashboard.view.durations import duration
from taskflow.server.dashboard.view.instants import running_time
from taskflow.server.dashboard.view.numbers import counted
from taskflow.server.dashboard.view.reader import READER
from taskflow.server.dashboard.view.statuses import short_id
from taskflow.texts import visible

_DEEPEST: Final = 9
_MOST_SIBLINGS: Final = 200
_THINNEST: Final = 0.15
_ICONS: Final[Mapping[SpanKind, str]] = {
    SpanKind.RUN: "i-runs",
    SpanKind.PENDING_VERSION: "s-PENDING_VERSION",
    SpanKind.DELAYED: "s-DELAYED",
    SpanKind.QUEUED: "s-QUEUED",
    SpanKind.RETRY_DELAY: "s-REATTEMPTING",
    SpanKind.MIDDLEWARE: "i-wrap",
    SpanKind.HOOK: "i-hook",
    SpanKind.FUNCTION: "i-fn",
    SpanKind.SPAN: "i-span",
    SpanKind.STEP: "i-step",
    SpanKind.CHILD: "i-child",
    SpanKind.STREAM: "i-queues",
}
_WAITS: Final = {
    "duration": ("Wait", "i-clock"),
    "token": ("Token", "i-tokens"),
    "task": ("Run", "i-child"),
    "batch": ("Batch", "i-batches"),
    "input": ("Input", "i-queues"),
    "retry": ("Retry delay", "s-REATTEMPTING"),
}
_ATTEMPTS: Final = {
    SpanOutcome.DONE: "s-COMPLETED",
    SpanOutcome.FAILED: "s-FAILED",
    SpanOutcome.LOST: "s-SYSTEM_FAILURE",
    SpanOutcome.INTERRUPTED: "s-CANCELED",
    SpanOutcome.CANCELED: "s-CANCELED",
}
_SOFT: Final = (SpanKind.PENDING_VERSION, SpanKind.DELAYED, SpanKind.QUEUED, SpanKind.RETRY_DELAY)
_CODE: Final = (
    SpanKind.MIDDLEWARE, SpanKind.HOOK, SpanKind.FUNCTION, SpanKind.SPAN, SpanKind.STEP, SpanKind.CHILD,
    SpanKind.STREAM,
)  # fmt: skip
_LEVELS: Final = {"DEBUG": "grey", "INFO": "grey", "WARNING": "amber", "ERROR": "red", "CRITICAL": "red"}
_SHORT_LEVELS: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a row's bar, in percent. ``began_ms`` is set while it grows."""

    x: float
    width: float
    is_soft: bool = False
    tone: str = ""
    began_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the trace.

    Attributes:
        tone: The family of colour of its bars.
        expanded: Whether its children are shown; None when it has none.
        address: The page of the run that a child is.
        level: Of a log line, its level in at most five letters.
    """

    id: str
    depth: int
    name: str
    note: str
    took: Markup | str
    tone: str
    icon: str
    bars: Sequence[Bar]
    is_toned: bool = False
    is_code: bool = False
    is_strong: bool = False
    expanded: bool | None = None
    run_id: str | None = None
    level: str = ""
    attempt: int | None = None
    has_error: bool = False
    is_open: bool = False


def rows_of(trace: Trace, axis: Axis) -> Iterator[Row]:
    """Yield the rows of a trace. Of more than 200 siblings the first 200 are shown, and a row counts the others."""
    shown: dict[int, int] = {}
    hidden: dict[int, list[TraceRow]] = {}
    hidden_below: int | None = None
    for row in trace.rows:
        if hidden_below is not None and row.depth > hidden_below:
            continue
        hidden_below = None
        for depth in sorted((each for each in shown if each > row.depth), reverse=True):
            yield from _rest(hidden.pop(depth, []), depth)
            del shown[depth]
        shown[row.depth] = shown.get(row.depth, 0) + 1
        if shown[row.depth] > _MOST_SIBLINGS:
            hidden.setdefault(row.depth, []).append(row)
            hidden_below = row.depth
            continue
        yield _row(row, trace, axis)
    for depth in sorted(hidden, reverse=True):
        yield from _rest(hidden[depth], depth)


def tone_of(span: TraceSpan) -> str:
    """Return the family of colour of a span."""
    if span.kind is SpanKind.RETRY_DELAY or span.kind is SpanKind.PENDING_VERSION:
        return "amber"
    if span.outcome in (SpanOutcome.FAILED, SpanOutcome.LOST):
        return "red" if span.kind is not SpanKind.RUN else "grey"
    if span.kind is SpanKind.WAIT:
        return "amber" if span.name == "retry" else "violet"
    if span.kind is SpanKind.CHILD:
        return "green" if span.status is RunStatus.COMPLETED else "grey"
    return "grey"


def icon_of(span: TraceSpan) -> str:
    """Return the icon of a span."""
    if span.kind is SpanKind.ATTEMPT:
        waits = span.is_open and bool(span.parked) and span.parked[-1].ended is None
        return _ATTEMPTS.get(span.outcome, "s-EXECUTING") if span.outcome else "s-WAITING" if waits else "s-EXECUTING"
    if span.kind is SpanKind.WAIT:
        return _WAITS.get(span.name, ("Wait", "i-clock"))[1]
    return _ICONS[span.kind]


def words_of(span: TraceSpan) -> tuple[str, str]:
    """Return the name and the note of a span."""
    match span.kind:
        case SpanKind.WAIT:
            name = _WAITS.get(span.name, ("Wait", ""))[0]
            if span.name == "token" and not span.note:
                return name, f"…{str(span.fields.get('token', ''))[-4:]}"
            return (span.note, name.lower()) if span.note else (name, "")
        case SpanKind.HOOK:
            return span.name, "" if span.note.rpartition(".")[2] in (span.name, "<lambda>") else span.note
        case SpanKind.MIDDLEWARE:
            return span.name.rpartition(".")[2], "middleware"
        case SpanKind.STEP:
            return span.name, "step"
        case SpanKind.CHILD:
            return span.name, short_id(span.run_id or "")
        case SpanKind.STREAM:
            return span.name, "stream, first items"
        case SpanKind.ATTEMPT:
            is_odd = span.outcome in (SpanOutcome.LOST, SpanOutcome.INTERRUPTED, SpanOutcome.CANCELED)
            words = (span.outcome.value if is_odd and span.outcome else "", short_node(span.note))
            return span.name, ", ".join(word for word in words if word)
        case _:
            return span.name, span.note


def short_node(node: str) -> str:
    """Return the name of a node without its environment, host and process."""
    return node.partition("@")[0].removeprefix(f"{READER.get().environment}.")


def _row(row: TraceRow, trace: Trace, axis: Axis) -> Row:
    item = row.item
    if isinstance(item, TraceLine):
        return _line_row(item, row.depth, trace, axis)
    tone, (name, note) = tone_of(item), words_of(item)
    ended = item.ended or trace.read_at
    return Row(
        id=item.id,
        depth=min(row.depth + 1, _DEEPEST),
        name=visible(name),
        note=visible(note),
        took=running_time(item.began) if item.is_open else duration(ended - item.began),
        tone=tone,
        icon=icon_of(item),
        bars=tuple(_bars(item, ended, axis)) if axis.has(item.began, ended) else (),
        is_toned=tone != "grey" or item.kind in (SpanKind.RUN, SpanKind.ATTEMPT),
        is_code=item.kind in _CODE,
        is_strong=item.kind in (SpanKind.RUN, SpanKind.ATTEMPT),
        expanded=True if row.has_children else False if item.kind is SpanKind.CHILD else None,
        run_id=item.run_id,
        attempt=item.attempt,
        has_error=item.outcome in (SpanOutcome.FAILED, SpanOutcome.LOST) and item.id != ROOT,
        is_open=item.is_open,
    )


def _line_row(item: TraceLine, depth: int, trace: Trace, axis: Axis) -> Row:
    line = item.line
    tone = _LEVELS.get(line.level, "grey")
    since = (line.at - trace.run.created_at).total_seconds()
    return Row(
        id=f"log-{line.sequence[0]}-{line.sequence[1]}",
        depth=min(depth + 1, _DEEPEST),
        name=visible(line.message.partition("\n")[0]),
        note="",
        took=f"+{duration(since)}",
        tone=tone,
        icon="",
        bars=(Bar(axis.at(line.at), 0),) if axis.has(line.at, line.at) else (),
        level=_SHORT_LEVELS.get(line.level, line.level[:5]),
        attempt=line.attempt,
        has_error=tone == "red",
    )


def _bars(span: TraceSpan, ended: datetime, axis: Axis) -> Iterator[Bar]:
    """Yield the parts of a span's bar: filled while code executes, outlined while nobody computes."""
    soft = span.kind in _SOFT
    began, tone = span.began, tone_of(span)
    for parked in span.parked:
        if parked.began > began:
            yield _bar(axis, began, parked.began, tone)
        yield _bar(axis, parked.began, parked.ended or ended, "violet", is_soft=True, is_open=parked.ended is None)
        began = parked.ended or ended
    if began < ended or not span.parked:
        yield _bar(axis, began, ended, tone, is_soft=soft, is_open=span.is_open)


def _bar(
    axis: Axis, began: datetime, ended: datetime, tone: str, *, is_soft: bool = False, is_open: bool = False
) -> Bar:
    x = axis.at(began)
    width = max(round(axis.at(ended) - x, 3), _THINNEST)
    return Bar(min(x, 100 - _THINNEST), width, is_soft, tone, int(began.timestamp() * 1000) if is_open else None)


def _rest(rows: Sequence[TraceRow], depth: int) -> Iterator[Row]:
    """Yield the row that counts the siblings that are not shown."""
    if not rows:
        return
    spans = [row.item for row in rows if isinstance(row.item, TraceSpan)]
    lines = len(rows) - len(spans)
    failed = sum(span.outcome in (SpanOutcome.FAILED, SpanOutcome.LOST) for span in spans)
    parts = [counted(len(spans), "more span")] if spans else []
    parts += [f"{failed:,} failed"] if failed else []
    parts += [counted(lines, "more log line")] if lines else []
    yield Row(f"rest-{depth}-{len(rows)}", min(depth + 1, _DEEPEST), ", ".join(parts), "", "", "grey", "i-dots", ())
