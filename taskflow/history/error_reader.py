"""Read groups of errors, and set their states."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, or_, select, update

from taskflow.history.activity import Scale
from taskflow.history.error_groups import ERROR_COUNTS, GROUPS
from taskflow.history.reader import Reader
from taskflow.history.rows import clean, milliseconds
from taskflow.seams.activity import Bar
from taskflow.seams.error_groups import ErrorGroup, ErrorState
from taskflow.store.operations.encoding import instant

MOST: Final = 500
"""The most groups that are read."""


def groups_of(
    reader: Reader,
    since: datetime,
    until: datetime,
    bars: int = 24,
    fingerprints: Sequence[str] | None = None,
) -> list[ErrorGroup]:
    """Return the groups that failed in a period, the newest failure first, at most 500.

    Args:
        bars: About how many bars each group has.
        fingerprints: Only these groups, whenever they failed; None for all.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    scale = Scale.quarters(since, until, bars)

    def look(connection: Connection) -> list[ErrorGroup]:
        own = [GROUPS.c.environment == reader.environment]
        if fingerprints is None:
            own += [GROUPS.c.last >= scale.first, GROUPS.c.first < scale.last]
        else:
            own.append(GROUPS.c.fingerprint.in_(list(map(clean, fingerprints))))
        listing = select(GROUPS).where(*own).order_by(GROUPS.c.last.desc(), GROUPS.c.fingerprint).limit(MOST)
        rows = connection.execute(listing).mappings().all()
        counts: dict[str, list[Any]] = {row["fingerprint"]: [] for row in rows}
        for count in connection.execute(_counts(reader.environment, scale, list(counts))).mappings():
            counts[count["fingerprint"]].append(count)
        return [_group(row, scale, counts[row["fingerprint"]]) for row in rows]

    return reader.read_counts(look, [])


def set_state(
    reader: Reader, fingerprint: str, state: ErrorState, at: datetime, by: str, resolved_in: str | None = None
) -> bool:
    """Set the state of a group. Return whether there is such a group.

    Raises:
        HistoryUnavailableError: The history's database did not answer. Nothing was written.
    """
    own = (GROUPS.c.environment == reader.environment, GROUPS.c.fingerprint == clean(fingerprint))
    values = {"state": state.value, "changed": milliseconds(at), "changed_by": clean(by), "came_back": None}
    values["resolved_in"] = None if resolved_in is None else clean(resolved_in)
    return reader.change(lambda connection: connection.execute(update(GROUPS).where(*own).values(values)).rowcount > 0)


def changed_since(reader: Reader, since: datetime) -> list[ErrorGroup]:
    """Return the open groups that are new or came back since an instant, the last 500, without counts. For alerts.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    first = milliseconds(since)
    own = (GROUPS.c.environment == reader.environment, GROUPS.c.state == ErrorState.OPEN.value)
    recent = or_(GROUPS.c.first >= first, GROUPS.c.came_back >= first)

    newest = func.coalesce(GROUPS.c.came_back, GROUPS.c.first).desc()
    listing = select(GROUPS).where(*own, GROUPS.c.last >= first, recent).order_by(newest).limit(MOST)

    def look(connection: Connection) -> list[ErrorGroup]:
        rows = connection.execute(listing).mappings()
        groups: dict[str, tuple[Any, list[Any]]] = {row["fingerprint"]: (row, []) for row in rows}
        counts = ERROR_COUNTS.c
        mine = (counts.environment == reader.environment, counts.fingerprint.in_(list(groups)))
        for fingerprint, name in connection.execute(select(counts.fingerprint, counts.task_id).where(*mine).distinct()):
            groups[fingerprint][1].append({"task_id": name, "version": "", "attempts": 0, "runs": 0})
        return [_group(row, None, tasks) for row, tasks in groups.values()]

    return reader.read_counts(look, [])


def count_new(reader: Reader, since: datetime) -> int:
    """Return how many open groups failed for the first time since an instant.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    own = (GROUPS.c.environment == reader.environment, GROUPS.c.state == ErrorState.OPEN.value)
    wanted = select(func.count()).where(*own, GROUPS.c.first >= milliseconds(since), GROUPS.c.came_back.is_(None))
    return reader.read_counts(lambda connection: connection.execute(wanted).scalar_one(), 0)


def last_change(reader: Reader) -> Sequence[int]:
    """Return numbers that differ once a group has failed again, or its state was set. It reads groups, not counts.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    marks = [func.coalesce(func.max(column), 0) for column in (GROUPS.c.last, GROUPS.c.changed, GROUPS.c.came_back)]
    wanted = select(func.count(), *marks).where(GROUPS.c.environment == reader.environment)
    return reader.read_counts(lambda connection: tuple(connection.execute(wanted).one()), ())


def _counts(environment: str, scale: Scale, fingerprints: Sequence[str]) -> Any:
    start = (ERROR_COUNTS.c.start - ERROR_COUNTS.c.start % scale.step).label("start")
    by = (ERROR_COUNTS.c.fingerprint, start, ERROR_COUNTS.c.task_id, ERROR_COUNTS.c.version)
    own = (
        ERROR_COUNTS.c.environment == environment,
        ERROR_COUNTS.c.fingerprint.in_(fingerprints),
        ERROR_COUNTS.c.start >= scale.first,
        ERROR_COUNTS.c.start < scale.last,
    )
    sums = (func.sum(ERROR_COUNTS.c.attempts).label("attempts"), func.sum(ERROR_COUNTS.c.runs).label("runs"))
    return select(*by, *sums).where(*own).group_by(*by)


def _group(row: Any, scale: Scale | None, counts: Sequence[Any]) -> ErrorGroup:
    tasks: dict[str, int] = {}
    versions: dict[str, int] = {}
    failed = [0] * (scale.number if scale else 0)
    for count in counts:
        attempts = int(count["attempts"])
        tasks[count["task_id"]] = tasks.get(count["task_id"], 0) + attempts
        if count["version"]:
            versions[count["version"]] = versions.get(count["version"], 0) + attempts
        if scale:
            failed[scale.index(count["start"])] += attempts
    return ErrorGroup(
        id=row["fingerprint"],
        type=row["type"],
        message=row["message"],
        frame=row["frame"],
        first_at=instant(row["first"]),
        last_at=instant(row["last"]),
        state=ErrorState(row["state"]),
        changed_at=None if row["changed"] is None else instant(row["changed"]),
        changed_by=row["changed_by"],
        resolved_in=row["resolved_in"],
        came_back_at=None if row["came_back"] is None else instant(row["came_back"]),
        attempts=sum(int(count["attempts"]) for count in counts),
        runs=sum(int(count["runs"]) for count in counts),
        tasks=dict(sorted(tasks.items(), key=lambda each: -each[1])),
        versions=versions,
        bars=tuple(Bar(instant(scale.first + index * scale.step), failed=n) for index, n in enumerate(failed))
        if scale
        else (),
    )
