"""Keep and read how many runs of each queue executed and waited, minute by minute, for a day.

A queue without such runs has no row. The row of the environment, whose name is "", is there in each minute that was
looked at, so that a minute without a row of a queue is either zero or unknown.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from taskflow.history.reader import Reader
from taskflow.history.rollups import MINUTE
from taskflow.history.rows import clean, milliseconds
from taskflow.history.schema import QueueSampleRow
from taskflow.models import QueueState
from taskflow.seams.activity import QueueLoad
from taskflow.store.operations.encoding import instant

SAMPLES: Final = cast("Table", QueueSampleRow.__table__)
KEPT: Final = timedelta(hours=25)
MOST: Final = 200
"""The queues of one minute that are kept: those with the most runs."""
_WHOLE: Final = ""


def keep_samples(reader: Reader, at: datetime, states: Iterable[QueueState]) -> int:
    """Keep the loads of queues of one minute; a minute that is kept already stays. Return the number of rows.

    Args:
        states: Of each queue, without the environment.

    Raises:
        HistoryUnavailableError: The history's database did not answer. Nothing was written.
    """
    busy = sorted((each for each in states if each.running or each.queued), key=_size, reverse=True)
    minute = milliseconds(at) // MINUTE * MINUTE
    own = {"environment": reader.environment, "at": minute}
    whole = {"queue": _WHOLE, "running": sum(s.running for s in busy), "queued": sum(s.queued for s in busy)}
    rows: list[dict[str, Any]] = [own | whole]
    rows += [own | {"queue": clean(s.name), "running": s.running, "queued": s.queued} for s in busy[:MOST]]

    def act(connection: Connection) -> int:
        insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(SAMPLES)
        connection.execute(insert.on_conflict_do_nothing(), rows)
        return len(rows)

    return reader.change(act)


def trim_samples(reader: Reader, now: datetime) -> None:
    """Delete what is older than 25 hours.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    old = (SAMPLES.c.environment == reader.environment, SAMPLES.c.at < milliseconds(now - KEPT))
    reader.change(lambda connection: connection.execute(delete(SAMPLES).where(*old)).rowcount)


def samples_of(reader: Reader, queue: str, since: datetime, until: datetime, step: timedelta) -> Sequence[QueueLoad]:
    """Return the highest loads of a queue in parts of a period; a part that nobody looked at is left out.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    name, width = clean(queue), milliseconds_of(step)
    period = (SAMPLES.c.at >= milliseconds(since), SAMPLES.c.at < milliseconds(until))
    wanted = (SAMPLES.c.environment == reader.environment, SAMPLES.c.queue.in_([_WHOLE, name]), *period)

    def look(connection: Connection) -> Sequence[QueueLoad]:
        parts: dict[int, tuple[int, int]] = {}
        for row in connection.execute(select(SAMPLES).where(*wanted)):
            part = row.at - row.at % width
            running, queued = parts.get(part, (0, 0))
            if row.queue == name:
                running, queued = max(running, row.running), max(queued, row.queued)
            parts[part] = running, queued
        return tuple(QueueLoad(instant(part), *load) for part, load in sorted(parts.items()))

    return reader.read_saved(look, ())


def milliseconds_of(step: timedelta) -> int:
    """Return the length of a part, at least a minute."""
    return max(MINUTE, round(step.total_seconds() * 1000))


def _size(state: QueueState) -> int:
    return state.running + state.queued
