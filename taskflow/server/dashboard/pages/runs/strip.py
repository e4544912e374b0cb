"""The strip above the list: runs that completed in the period as an area, failures below it on a scale of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.engine.engine import Engine
from taskflow.errors import HistoryUnavailableError
from taskflow.seams.activity import Bar
from taskflow.server.dashboard.pages.runs.filters import RunQuery
from taskflow.server.dashboard.view.instants import clock, day
from taskflow.server.dashboard.view.numbers import counted
from taskflow.server.dashboard.view.reader import READER

_BARS: Final = 96
_HEIGHT: Final = 42
_FAILED_HEIGHT: Final = 15
_EDGE: Final = 3
"""Percent of the width at both ends that have no mark."""
_STEPS: Final = (
    (timedelta(hours=1.1), timedelta(minutes=10)),
    (timedelta(hours=8), timedelta(hours=1)),
    (timedelta(days=1.1), timedelta(hours=3)),
    (timedelta(days=8), timedelta(days=1)),
    (timedelta.max, timedelta(days=4)),
)
"""The longest period, and the time from mark to mark."""
_COUNTED: Final = ("task", "period", "from", "to")
"""The conditions by which the counts of the history are kept. With another one there is no strip."""
_SHORTEST: Final = timedelta(minutes=30)
"""Two of the intervals by which they are kept."""


@dataclass(frozen=True, slots=True)
class Strip:
    """The strip of a period.

    Attributes:
        areas: The height of each interval's completed runs.
        bars: Place, width and height of each interval's failures, in percent of the width.
        labels: Place in percent and text of the marks below.
    """

    completed: int
    failed: int
    areas: Sequence[float]
    bars: Sequence[tuple[float, float, float]]
    labels: Sequence[tuple[float, str]]
    words: str
    since_ms: int
    until_ms: int


async def strip_of(engine: Engine, query: RunQuery) -> Strip | None:
    """Return the strip of a list; None without a history, or where nothing is counted by its conditions."""
    where, now = query.where, datetime.now(UTC)
    until = min(where.created_to or now, now)
    if query.problem or where.not_tasks or any(name not in _COUNTED for name in query.params):
        return None
    if where.created_from is None or until - where.created_from < _SHORTEST:
        return None
    try:
        bars = await engine.activity.abars(where.created_from, until, _BARS, where.tasks)
    except HistoryUnavailableError:
        return None
    length = until - where.created_from
    return _drawn(bars, where.created_from, length) if any(bar.total for bar in bars) else None


def _drawn(bars: Sequence[Bar], since: datetime, length: timedelta) -> Strip:
    most, worst = max(1, *(bar.completed for bar in bars)), max(1, *(bar.failed for bar in bars))
    width = 100 / len(bars)
    completed, failed = sum(bar.completed for bar in bars), sum(bar.failed for bar in bars)
    return Strip(
        completed,
        failed,
        [bar.completed / most * _HEIGHT for bar in bars],
        [
            (index * width, width * 0.8, max(1.0, bar.failed / worst * _FAILED_HEIGHT))
            for index, bar in enumerate(bars)
            if bar.failed
        ],
        _labels(since, length),
        f"{counted(completed, 'run')} completed and {failed:,} failed, by the instant of their end",
        round(since.timestamp() * 1000),
        round((since + length).timestamp() * 1000),
    )


def _labels(since: datetime, length: timedelta) -> list[tuple[float, str]]:
    """Return the marks at whole steps of the reader's clock, except near the ends."""
    step = next(step for longest, step in _STEPS if length <= longest)
    start = since.astimezone(READER.get().zone)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + step * ((start - midnight) // step + 1)
    found: list[tuple[float, str]] = []
    while at < start + length:
        place = (at - start) / length * 100
        if _EDGE < place < 100 - _EDGE:
            found.append((place, clock(at)[:5] if step < timedelta(days=1) else day(at)))
        at += step
    return found
