"""Count failed attempts, and the runs that they ended, by the group of their error (``fingerprints``).

The caller holds the lock of the feed (``Writer``) and passes each failed attempt and each ended run once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from taskflow.history.fingerprints import Failure
from taskflow.history.rollups import QUARTER
from taskflow.history.schema import ErrorCountRow, ErrorGroupRow
from taskflow.seams.error_groups import ErrorState

GROUPS, ERROR_COUNTS = (cast("Table", kind.__table__) for kind in (ErrorGroupRow, ErrorCountRow))


def count_failures(connection: Connection, environment: str, failures: Iterable[Failure]) -> None:
    """Add failures to their groups. A group that was resolved comes back."""
    groups: dict[str, list[Failure]] = {}
    for failure in failures:
        groups.setdefault(failure.fingerprint.id, []).append(failure)
    if not groups:
        return
    _make(connection, environment, groups)
    own = (GROUPS.c.environment == environment, GROUPS.c.fingerprint.in_(list(groups)))
    known = connection.execute(select(GROUPS).where(*own).order_by(GROUPS.c.fingerprint).with_for_update())
    for row in known.mappings().all():
        _update(connection, row, groups[row["fingerprint"]])
    _count(connection, environment, [failure for fingerprint in sorted(groups) for failure in groups[fingerprint]])


def trim_failures(connection: Connection, environment: str, before_ms: int) -> None:
    """Delete the counts of what failed before an instant, and groups that have not failed since."""
    old = (ERROR_COUNTS.c.environment == environment, ERROR_COUNTS.c.start < before_ms - QUARTER)
    connection.execute(delete(ERROR_COUNTS).where(*old))
    connection.execute(delete(GROUPS).where(GROUPS.c.environment == environment, GROUPS.c.last < before_ms))


def _make(connection: Connection, environment: str, groups: dict[str, list[Failure]]) -> None:
    rows: list[dict[str, Any]] = []
    for fingerprint, failures in sorted(groups.items()):
        times = [failure.at_ms for failure in failures]
        row = {"environment": environment, "fingerprint": fingerprint, "state": ErrorState.OPEN.value}
        rows.append(row | _newest(failures) | {"first": min(times), "last": max(times)})
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(GROUPS)
    connection.execute(insert.on_conflict_do_nothing(), rows)


def _update(connection: Connection, row: Any, failures: Sequence[Failure]) -> None:
    times = [failure.at_ms for failure in failures]
    values: dict[str, Any] = {"first": min(row["first"], *times), "last": max(row["last"], *times)}
    if max(times) >= row["last"]:
        values |= _newest(failures)
    if (back := _came_back(connection, row, failures)) is not None:
        values |= {"state": ErrorState.OPEN.value, "came_back": back}
    own = (GROUPS.c.environment == row["environment"], GROUPS.c.fingerprint == row["fingerprint"])
    connection.execute(update(GROUPS).where(*own).values(values))


def _came_back(connection: Connection, row: Any, failures: Sequence[Failure]) -> int | None:
    """Return when a resolved group failed again, None when it did not: versions from before its repair still fail."""
    if row["state"] != ErrorState.RESOLVED:
        return None
    later = [failure for failure in failures if failure.at_ms > row["changed"]]
    if later and row["resolved_in"]:
        counts = ERROR_COUNTS.c
        known = select(counts.version).where(
            counts.environment == row["environment"],
            counts.fingerprint == row["fingerprint"],
            counts.start <= row["changed"],
        )
        older = set(connection.execute(known.distinct()).scalars()) - {row["resolved_in"]}
        later = [failure for failure in later if failure.version not in older]
    return min((failure.at_ms for failure in later), default=None)


def _newest(failures: Sequence[Failure]) -> dict[str, str]:
    newest = max(failures, key=lambda failure: failure.at_ms).fingerprint
    return {"type": newest.type, "message": newest.message, "frame": newest.frame}


def _count(connection: Connection, environment: str, failures: Sequence[Failure]) -> None:
    attempts: Counter[tuple[str, int, str, str]] = Counter()
    runs: Counter[tuple[str, int, str, str]] = Counter()
    for failure in failures:
        start = failure.at_ms - failure.at_ms % QUARTER
        key = (failure.fingerprint.id, start, failure.task_id, failure.version)
        (runs if failure.is_run else attempts)[key] += 1
    rows: list[dict[str, Any]] = [
        {
            "environment": environment,
            "fingerprint": fingerprint,
            "start": start,
            "task_id": task_id,
            "version": version,
            "attempts": attempts[fingerprint, start, task_id, version],
            "runs": runs[fingerprint, start, task_id, version],
        }
        for fingerprint, start, task_id, version in sorted({*attempts, *runs})
    ]
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(ERROR_COUNTS)
    more = {name: ERROR_COUNTS.c[name] + insert.excluded[name] for name in ("attempts", "runs")}
    connection.execute(insert.on_conflict_do_update(index_elements=ERROR_COUNTS.primary_key, set_=more), rows)
