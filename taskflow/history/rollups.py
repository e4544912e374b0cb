"""Count the runs that end, by task, final status and interval. Each run is counted once, at the write that ends it.

The caller holds the lock of the feed (``Writer``), so that no other transaction ends the same runs.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, and_, bindparam, delete, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from taskflow.history import histogram
from taskflow.history.histogram import Histogram, bucket_of
from taskflow.history.rows import Rows, clean
from taskflow.history.schema import RollupRow, RunRow
from taskflow.models import RunStatus

ROLLUPS, RUNS = (cast("Table", kind.__table__) for kind in (RollupRow, RunRow))
MINUTE: Final = 60_000
QUARTER: Final = 900_000
DAY: Final = 86_400_000
SPANS: Final = (MINUTE, QUARTER, DAY)
"""The lengths of intervals in ms. Each interval begins at a multiple of its length since 1970."""
MINUTES_KEPT: Final = 6 * 3_600_000
_AT_ONCE: Final = 200

Key = tuple[int, int, str, str]
"""Span, start, task and status."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The end of a run, as it is counted.

    Attributes:
        took: Milliseconds from the first attempt's start to the end, None for a run that never started.
        waited: Milliseconds from the instant at which it might start to its first attempt.
    """

    run_id: str
    task_id: str
    status: str
    finished: int
    took: int | None = None
    waited: int | None = None


def end_of(run_id: str, task_id: str, status: str, created: int, finished: int, record: str) -> RunEnd:
    """Return the end of a run whose further fields are ``record`` (``RunRow``)."""
    fields: Mapping[str, Any] = json.loads(record)
    if "started" not in fields:
        return RunEnd(run_id, task_id, status, finished)
    started = int(float(fields["started"]))
    due = int(float(fields.get("due", created)))
    ready = due if created <= due <= started else created  # later ones are of a retry
    return RunEnd(run_id, task_id, status, finished, max(finished - started, 0), max(started - ready, 0))


@dataclass(slots=True)
class _Sum:
    count: int = 0
    took_ms: int = 0
    waited_ms: int = 0
    took: Histogram = field(default_factory=Counter[int])
    waited: Histogram = field(default_factory=Counter[int])

    def add(self, end: RunEnd, times: int) -> None:
        self.count += times
        if end.took is not None and end.waited is not None:
            self.took_ms += times * end.took
            self.waited_ms += times * end.waited
            self.took[bucket_of(end.took)] += times
            self.waited[bucket_of(end.waited)] += times


def new_ends(
    connection: Connection, runs: Sequence[Rows], gone: Mapping[str, tuple[str, int, int]]
) -> tuple[list[RunEnd], list[RunEnd]]:
    """Return the ends in a batch that the history does not have, and those that it has and that were none.

    The latter are of a store that was away for so long that its runs were taken for lost.
    """
    batch = {str(rows.run["id"]): rows.run for rows in runs}
    final = {clean(run_id): end for run_id, end in gone.items() if RunStatus(end[0]).is_finished}
    if not batch and not final:
        return [], []
    finished = [run_id for run_id, row in batch.items() if RunStatus(row["status"]).is_finished]
    known = {row.id: row for row in _stored(connection, [*finished, *final], [*batch])}
    wrong = {
        run_id
        for run_id, row in known.items()
        if run_id in batch
        and _has_ended(row)
        and row.revision < batch[run_id]["revision"]
        and row.status != batch[run_id]["status"]
    }
    undone = [end_of(run_id, *_of(known[run_id])) for run_id in sorted(wrong)]
    ends: list[RunEnd] = []
    for run_id in finished:
        row, before = batch[run_id], known.get(run_id)
        is_new = before is None or (not _has_ended(before) and before.revision < row["revision"])
        if is_new or run_id in wrong:
            at_ms = row["finished"] or row["created"]
            ends.append(end_of(run_id, row["task_id"], row["status"], row["created"], at_ms, row["record"]))
    for run_id, (status, at_ms, revision) in final.items():
        before = known.get(run_id)
        if before is not None and run_id not in batch and not _has_ended(before) and before.revision < revision:
            ends.append(end_of(run_id, before.task_id, status, before.created, at_ms, before.record))
    return ends, undone


def _of(row: Any) -> tuple[str, str, int, int, str]:
    return row.task_id, row.status, row.created, row.finished or row.created, row.record


def unended_runs(connection: Connection, run_ids: Sequence[str]) -> list[Any]:
    """Return what the history has of those runs that have not ended, and lock these rows in their order."""
    return [row for row in _stored(connection, run_ids) if not _has_ended(row)]


def count_ends(connection: Connection, environment: str, ends: Iterable[RunEnd], undone: Iterable[RunEnd] = ()) -> None:
    """Add the ends of runs to the intervals of their instants, and take those that were none from theirs."""
    sums: dict[Key, _Sum] = {}
    for end, times in (*((end, 1) for end in ends), *((end, -1) for end in undone)):
        for span in SPANS:
            key = (span, end.finished - end.finished % span, end.task_id, end.status)
            sums.setdefault(key, _Sum()).add(end, times)
    keys = sorted(sums)  # one order for all: no deadlocks
    for start in range(0, len(keys), _AT_ONCE):
        _add(connection, environment, {key: sums[key] for key in keys[start : start + _AT_ONCE]})


def trim_rollups(connection: Connection, environment: str, before_ms: int, now_ms: int) -> None:
    """Delete the intervals that ended before an instant, and minutes after six hours."""
    for span in SPANS:
        before = max(before_ms, now_ms - MINUTES_KEPT) if span == MINUTE else before_ms
        old = (ROLLUPS.c.environment == environment, ROLLUPS.c.span == span, ROLLUPS.c.start < before - span)
        connection.execute(delete(ROLLUPS).where(*old))


def _add(connection: Connection, environment: str, sums: Mapping[Key, _Sum]) -> None:
    """Make the rows that are missing, lock all, and write the sums: two databases, and shards beside each other."""
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(ROLLUPS)
    zero = {"count": 0, "took_ms": 0, "waited_ms": 0, "took": "{}", "waited": "{}"}
    connection.execute(insert.on_conflict_do_nothing(), [_named(environment, key) | zero for key in sums])
    columns = (ROLLUPS.c.span, ROLLUPS.c.start, ROLLUPS.c.task_id, ROLLUPS.c.status)
    known = (
        select(ROLLUPS)
        .where(ROLLUPS.c.environment == environment, tuple_(*columns).in_(list(sums)))
        .order_by(*columns)
        .with_for_update()
    )
    changed: list[dict[str, Any]] = []
    for row in connection.execute(known).mappings():
        more = sums[row["span"], row["start"], row["task_id"], row["status"]]
        changed.append(
            {
                "of_span": row["span"],
                "of_start": row["start"],
                "of_task": row["task_id"],
                "of_status": row["status"],
                "count": max(0, row["count"] + more.count),
                "took_ms": max(0, row["took_ms"] + more.took_ms),
                "waited_ms": max(0, row["waited_ms"] + more.waited_ms),
                "took": histogram.written(histogram.read(row["took"]) + more.took),
                "waited": histogram.written(histogram.read(row["waited"]) + more.waited),
            }
        )
    own = (
        ROLLUPS.c.environment == environment,
        ROLLUPS.c.span == bindparam("of_span"),
        ROLLUPS.c.start == bindparam("of_start"),
        ROLLUPS.c.task_id == bindparam("of_task"),
        ROLLUPS.c.status == bindparam("of_status"),
    )
    connection.execute(update(ROLLUPS).where(*own), changed)


def _named(environment: str, key: Key) -> dict[str, Any]:
    span, start, task_id, status = key
    return {"environment": environment, "span": span, "start": start, "task_id": task_id, "status": status}


def _stored(connection: Connection, run_ids: Sequence[str], if_ended: Sequence[str] = ()) -> Sequence[Any]:
    """Return what the history has of runs, and of others if they have ended. Locks these rows in their order."""
    names = ("id", "task_id", "status", "revision", "created", "finished", "version", "record")
    others = and_(RUNS.c.id.in_(list(if_ended)), RUNS.c.finished.is_not(None))
    listing = select(*(RUNS.c[name] for name in names)).where(or_(RUNS.c.id.in_(list(run_ids)), others))
    return connection.execute(listing.order_by(RUNS.c.id).with_for_update()).all()


def _has_ended(row: Any) -> bool:
    return RunStatus(row.status).is_finished
