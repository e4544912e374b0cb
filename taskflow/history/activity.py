"""Read how many runs have ended in a period, and how long they took, from the counts of intervals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, select

from taskflow.history import histogram
from taskflow.history.histogram import Histogram, quantile
from taskflow.history.reader import Reader
from taskflow.history.rollups import DAY, MINUTE, MINUTES_KEPT, QUARTER, ROLLUPS
from taskflow.history.rows import clean, milliseconds
from taskflow.history.writer import RUNS
from taskflow.models import RunStatus
from taskflow.seams.activity import Bar, Quantiles, TaskActivity
from taskflow.store.operations.encoding import instant

_MOST_MINUTES: Final = 2 * 3_600_000
"""The longest period of which minutes are read."""
Condition = ColumnElement[bool]


def bars_of(reader: Reader, since: datetime, until: datetime, most: int, tasks: Sequence[str] = ()) -> Sequence[Bar]:
    """Return the runs that ended in a period, in about ``most`` bars of whole minutes or quarters of an hour.

    Minutes are known for six hours, so that an older period has no bar shorter than a quarter of an hour.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    scale = Scale.of(since, until, most)

    def look(connection: Connection) -> Sequence[Bar]:
        counts = [_Counts() for _ in range(scale.number)]
        for row in _counted(connection, reader.environment, scale, tasks):
            counts[scale.index(row["start"])][RunStatus(row["status"])] += int(row["runs"])
        return scale.bars(counts)

    return reader.read_counts(look, ())


def tasks_of(
    reader: Reader, since: datetime, until: datetime, most: int, tasks: Sequence[str] = ()
) -> dict[str, TaskActivity]:
    """Return the activity of each task that had a run that ended in a period, by the task's id.

    Args:
        most: About how many bars each task has.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    scale = Scale.of(since, until, most)

    def look(connection: Connection) -> dict[str, TaskActivity]:
        found: dict[str, _Task] = {}
        for row in _counted(connection, reader.environment, scale, tasks, by_task=True):
            task = found.get(row["task_id"])
            if task is None:
                task = found[row["task_id"]] = _Task([_Counts() for _ in range(scale.number)])
            task.bars[scale.index(row["start"])][RunStatus(row["status"])] += int(row["runs"])
        for row in _durations(connection, reader.environment, scale, tasks):
            if row["task_id"] in found:
                found[row["task_id"]].add_durations(row)
        return {task_id: task.value(scale) for task_id, task in sorted(found.items())}

    return reader.read_counts(look, {})


def durations_of(
    reader: Reader, since: datetime, until: datetime, most: int, task_id: str
) -> Sequence[tuple[datetime, Quantiles]]:
    """Return how long the runs of a task took that ended in a period, by bar.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    scale = Scale.of(since, until, most)
    own = [*_between(scale.span, scale.first, scale.last), *_of(reader.environment, [task_id])]

    def look(connection: Connection) -> Sequence[tuple[datetime, Quantiles]]:
        took = [Histogram() for _ in range(scale.number)]
        for row in connection.execute(select(ROLLUPS.c.start, ROLLUPS.c.took).where(*own)):
            histogram.add(took[scale.index(row.start)], row.took)
        return [(instant(scale.first + index * scale.step), _quantiles(each)) for index, each in enumerate(took)]

    return reader.read_counts(look, ())


def live_counts(reader: Reader) -> dict[tuple[str, RunStatus], int]:
    """Return how many runs have not ended, by task and status.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    live = [status.value for status in RunStatus if not status.is_finished]
    own = (RUNS.c.environment == reader.environment, RUNS.c.status.in_(live))
    # with its revision, which the index of tasks does not have: SQLite would else read that index of all runs
    columns = (RUNS.c.task_id, RUNS.c.status, RUNS.c.revision)
    runs = select(*columns).where(*own).cte("live").prefix_with("MATERIALIZED")
    by = (runs.c.task_id, runs.c.status)
    listing = select(*by, func.count(), func.max(runs.c.revision)).group_by(*by)

    def look(connection: Connection) -> dict[tuple[str, RunStatus], int]:
        return {(task_id, RunStatus(status)): count for task_id, status, count, _ in connection.execute(listing)}

    return reader.read(look, {})


_Counts = Counter[RunStatus]


@dataclass(frozen=True, slots=True)
class Scale:
    """A period in ms, cut into bars of one length. ``span``: the intervals that are read."""

    first: int
    last: int
    step: int
    span: int

    @classmethod
    def of(cls, since: datetime, until: datetime, most: int) -> "Scale":
        """Return a period cut into bars of minutes, if it is short and recent, else of quarters of an hour."""
        first, last = milliseconds(since), milliseconds(until)
        is_recent = milliseconds(datetime.now(UTC)) - first < MINUTES_KEPT
        span = MINUTE if is_recent and last - first <= _MOST_MINUTES else QUARTER
        return cls._cut(first, last, span, most)

    @classmethod
    def quarters(cls, since: datetime, until: datetime, most: int) -> "Scale":
        """Return a period cut into bars of quarters of an hour."""
        return cls._cut(milliseconds(since), milliseconds(until), QUARTER, most)

    @classmethod
    def _cut(cls, first: int, last: int, span: int, most: int) -> "Scale":
        step = span * max(1, round((last - first) / (span * most)))
        return cls(first - first % step, last, step, span)

    @property
    def number(self) -> int:
        """The number of bars."""
        return max(1, -(-(self.last - self.first) // self.step))

    def index(self, start: int) -> int:
        """Return the number of the bar of an instant."""
        return (start - self.first) // self.step

    def bars(self, counts: "Sequence[_Counts]") -> Sequence[Bar]:
        """Return the bars of counts by number."""
        return tuple(_bar(self.first + index * self.step, each) for index, each in enumerate(counts))


@dataclass(slots=True)
class _Task:
    bars: list[_Counts]
    took_ms: int = 0
    took: Histogram = field(default_factory=Counter[int])
    waited: Histogram = field(default_factory=Counter[int])

    def add_durations(self, row: Any) -> None:
        self.took_ms += int(row["took_ms"])
        histogram.add(self.took, row["took"])
        histogram.add(self.waited, row["waited"])

    def value(self, scale: Scale) -> TaskActivity:
        number = self.took.total()
        return TaskActivity(
            counts=dict(sum(self.bars, _Counts())),
            took=_quantiles(self.took),
            waited=_quantiles(self.waited),
            mean_took=timedelta(milliseconds=self.took_ms / number) if number else None,
            bars=scale.bars(self.bars),
        )


def _counted(
    connection: Connection, environment: str, scale: Scale, tasks: Sequence[str], *, by_task: bool = False
) -> Sequence[Any]:
    """Read numbers of runs by bar and status, and by task if that is wanted."""
    start = (ROLLUPS.c.start - ROLLUPS.c.start % scale.step).label("start")
    by: list[Any] = [start, ROLLUPS.c.status, *([ROLLUPS.c.task_id] if by_task else [])]
    own = [*_between(scale.span, scale.first, scale.last), *_of(environment, tasks)]
    listing = select(*by, func.sum(ROLLUPS.c.count).label("runs")).where(*own).group_by(*by)
    return connection.execute(listing).mappings().all()


def _durations(connection: Connection, environment: str, scale: Scale, tasks: Sequence[str]) -> Sequence[Any]:
    """Read the histograms of a period: of whole days, and of shorter intervals at its ends."""
    first_day, last_day = -(-scale.first // DAY) * DAY, scale.last // DAY * DAY
    parts = [(scale.span, scale.first, scale.last)]
    if last_day > first_day:
        parts = [(scale.span, scale.first, first_day), (DAY, first_day, last_day), (scale.span, last_day, scale.last)]
    columns = (ROLLUPS.c.task_id, ROLLUPS.c.took_ms, ROLLUPS.c.took, ROLLUPS.c.waited)
    own = _of(environment, tasks)
    # one statement a part: for an OR of them SQLite reads the whole table
    statements = (select(*columns).where(*own, *_between(*part)) for part in parts if part[1] < part[2])
    return [row for statement in statements for row in connection.execute(statement).mappings()]


def _between(span: int, first: int, last: int) -> list[Condition]:
    return [ROLLUPS.c.span == span, ROLLUPS.c.start >= first, ROLLUPS.c.start < last]


def _of(environment: str, tasks: Sequence[str]) -> list[Condition]:
    own: list[Condition] = [ROLLUPS.c.environment == environment]
    return [*own, ROLLUPS.c.task_id.in_(list(map(clean, tasks)))] if tasks else own


def _bar(start: int, counts: _Counts) -> Bar:
    failed = sum(count for status, count in counts.items() if status.is_failed)
    return Bar(instant(start), counts[RunStatus.COMPLETED], failed, counts[RunStatus.CANCELED])


def _quantiles(durations: Histogram) -> Quantiles:
    half, most = quantile(durations, 0.5), quantile(durations, 0.95)
    return Quantiles(
        None if half is None else timedelta(milliseconds=half), None if most is None else timedelta(milliseconds=most)
    )
