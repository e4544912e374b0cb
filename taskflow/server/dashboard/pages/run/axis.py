"""The time axis of a trace: from instants to percent of its width, with idle time folded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from taskflow.engine.trace.rows import SpanKind, Trace, TraceSpan
from taskflow.server.dashboard.view.durations import NO_BREAK, duration

_FOLDED: Final = timedelta(seconds=5)
_FOLDED_SHARE: Final = 0.2
_MOST_FOLDS: Final = 3
_FOLD_WIDTH: Final = 12.0
_TICKS: Final = 6
_LABEL_WIDTH: Final = 5.0
_BEFORE_NOW: Final = 0.95
"""The share of the axis of a run that waits: the label of now stands at its end."""
_STEPS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
    14400, 21600, 43200, 86400, 172800, 604800, 2592000,
)  # fmt: skip
_IDLE: Final = (SpanKind.PENDING_VERSION, SpanKind.DELAYED, SpanKind.QUEUED, SpanKind.RETRY_DELAY)

Seconds = float


@dataclass(frozen=True, slots=True)
class Fold:
    """Idle time that is drawn shorter than it was. ``x`` and ``width`` are percent."""

    began: Seconds
    ended: Seconds
    x: float
    width: float

    @property
    def label(self) -> str:
        """Its true length."""
        return duration(self.ended - self.began)


@dataclass(frozen=True, slots=True)
class Axis:
    """A mapping from seconds since the first instant to percent, straight between its points.

    Attributes:
        points: (seconds, percent), rising.
        ticks: (percent, label).
        is_idle_at_end: Whether the last idle time goes on, so that nothing grows.
        is_part: Whether only a part of the time is shown.
    """

    origin: datetime
    points: tuple[tuple[Seconds, float], ...]
    folds: tuple[Fold, ...]
    ticks: tuple[tuple[float, str], ...]
    is_idle_at_end: bool = False
    is_part: bool = False

    def has(self, began: datetime, ended: datetime) -> bool:
        """Whether something that lasted so long is in the time that is shown."""
        first, last = ((each - self.origin).total_seconds() for each in (began, ended))
        return not self.is_part or (last >= self.points[0][0] and first <= self.points[-1][0])

    def at(self, instant: datetime) -> float:
        """Return the place of an instant, in percent."""
        return self.place((instant - self.origin).total_seconds())

    def place(self, seconds: Seconds) -> float:
        """Return the place of a time since the first instant, in percent."""
        for (start, left), (end, right) in pairwise(self.points):
            if seconds <= end:
                share = (seconds - start) / (end - start) if end > start else 0.0
                return round(left + max(0.0, share) * (right - left), 3)
        return self.points[-1][1]

    @property
    def scale(self) -> str:
        """The points for the script that lets open bars grow: Unix milliseconds and percent."""
        start = self.origin.timestamp()
        return " ".join(f"{(start + seconds) * 1000:.0f},{place:g}" for seconds, place in self.points)

    @property
    def drag(self) -> str:
        """The same for the script that turns a stretch of the axis into two instants."""
        start = self.origin.timestamp()
        return ",".join(f"{place:g}:{(start + seconds) * 1000:.0f}" for seconds, place in self.points)


def axis_of(trace: Trace, *, folded: bool, between: tuple[datetime, datetime] | None = None) -> Axis:
    """Return the axis of a trace. While the run goes on, a quarter of it is left free, so that bars may grow.

    Args:
        between: The part of the time that is shown, true to scale; None for all of it.
    """
    if between is not None:
        return _part(min(span.began for span in trace.spans), *between)
    origin = min(span.began for span in trace.spans)
    is_open = not trace.run.is_finished
    newest = max((span.ended or trace.read_at for span in trace.spans), default=trace.read_at)
    total = max((newest - origin).total_seconds(), 0.001)
    idle = list(_idle(trace, origin)) if folded else []
    gaps = [gap for gap in idle if gap[1] - gap[0] > max(_FOLDED.total_seconds(), total * _FOLDED_SHARE)]
    gaps = sorted(sorted(gaps, key=lambda gap: gap[0] - gap[1])[:_MOST_FOLDS])
    is_idle_at_end = is_open and bool(gaps) and gaps[-1][1] >= total - 0.001
    if is_open and not is_idle_at_end:
        total = _with_room(total, sum(end - start for start, end in gaps))
    points = tuple(_points(total, gaps))
    if is_idle_at_end:
        points = tuple((seconds, round(place * _BEFORE_NOW, 3)) for seconds, place in points)
    axis = Axis(origin, points, (), ())
    folds = tuple(Fold(start, end, axis.place(start), axis.place(end) - axis.place(start)) for start, end in gaps)
    return Axis(origin, points, folds, tuple(_ticks(axis, total, gaps)), is_idle_at_end)


def _part(origin: datetime, since: datetime, until: datetime) -> Axis:
    first, last = ((each - origin).total_seconds() for each in (since, until))
    axis = Axis(origin, ((first, 0.0), (last, 100.0)), (), (), is_idle_at_end=True, is_part=True)
    return replace(axis, ticks=tuple(_part_ticks(axis, first, last)))


def _part_ticks(axis: Axis, first: Seconds, last: Seconds) -> Iterator[tuple[float, str]]:
    step = next((step for step in _STEPS if (last - first) / step <= _TICKS), _STEPS[-1])
    seconds = max(0.0, -(-first // step) * step)
    while seconds < last:
        place = axis.place(seconds)
        if place <= 100 - 2 * _LABEL_WIDTH:
            yield place, _label(round(seconds, 6), step)
        seconds += step


def _points(total: Seconds, gaps: Sequence[tuple[Seconds, Seconds]]) -> Iterator[tuple[Seconds, float]]:
    shown = total - sum(end - start for start, end in gaps)
    room = 100.0 - _FOLD_WIDTH * len(gaps)
    seconds, place = 0.0, 0.0
    yield seconds, place
    for start, end in gaps:
        if start > seconds:
            place += room * (start - seconds) / shown if shown > 0 else 0.0
            yield start, place
        place += _FOLD_WIDTH
        yield end, place
        seconds = end
    if total > seconds:
        yield total, 100.0


def _ticks(axis: Axis, total: Seconds, gaps: Sequence[tuple[Seconds, Seconds]]) -> Iterator[tuple[float, str]]:
    shown = total - sum(end - start for start, end in gaps)
    step = next((step for step in _STEPS if shown / step <= _TICKS), _STEPS[-1])
    seconds, last = 0.0, -10.0
    for _ in range(200):
        if seconds >= total:
            return
        inside = next((gap for gap in gaps if gap[0] < seconds < gap[1]), None)
        if inside is not None:
            seconds = (inside[1] // step + 1) * step
            continue
        place = axis.place(seconds)
        is_before_fold = any(0 <= axis.place(gap[0]) - place < _LABEL_WIDTH for gap in gaps)
        if place - last >= _LABEL_WIDTH and place <= 100 - _LABEL_WIDTH and not is_before_fold:
            yield place, _label(seconds, step)
            last = place
        seconds = round(seconds + step, 6)


def _label(seconds: Seconds, step: Seconds) -> str:
    if not seconds:
        return f"0{NO_BREAK}{'ms' if step < 0.5 else 's'}"
    if seconds < 60:
        return f"{seconds * 1000:g}{NO_BREAK}ms" if step < 0.5 and seconds < 1 else f"{seconds:g}{NO_BREAK}s"
    return duration(seconds).removesuffix(f"{NO_BREAK}0{NO_BREAK}s").removesuffix(f"{NO_BREAK}0{NO_BREAK}m")


def _with_room(total: Seconds, folded: Seconds) -> Seconds:
    """Return a total with a quarter of room, in steps, so that the axis seldom moves."""
    wanted = (total - folded) * 1.25
    step = next((step for step in _STEPS if step >= wanted), wanted)
    for finer in (0.5, 0.75):
        if step * finer >= wanted:
            return folded + step * finer
    return folded + step


def _idle(trace: Trace, origin: datetime) -> Iterator[tuple[Seconds, Seconds]]:
    """Yield the times in which nothing computed: no attempt outside of its waits, and no child run."""
    busy = sorted(
        ((began - origin).total_seconds(), (ended - origin).total_seconds())
        for span in trace.spans
        for began, ended in _busy(span, trace.read_at)
    )
    end = max(((span.ended or trace.read_at) - origin).total_seconds() for span in trace.spans)
    free_from = 0.0
    for began, ended in busy:
        if began > free_from:
            yield free_from, began
        free_from = max(free_from, ended)
    if end > free_from:
        yield free_from, end


def _busy(span: TraceSpan, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    ended = span.ended or now
    if span.kind in (SpanKind.CHILD, SpanKind.HOOK, SpanKind.STEP):
        yield span.began, ended
    elif span.kind is SpanKind.ATTEMPT:
        began = span.began
        for parked in span.parked:
            yield began, min(parked.began, ended)
            began = parked.ended or ended
        if began < ended:
            yield began, ended
