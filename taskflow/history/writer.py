"""Write batches of records and events. Any batch may be written again, and batches in any order."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, delete, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from taskflow.errors import HistoryUnavailableError
from taskflow.history.database import Database
from taskflow.history.error_groups import count_failures, trim_failures
from taskflow.history.fingerprints import Failure
from taskflow.history.rollups import RunEnd, count_ends, end_of, new_ends, trim_rollups, unended_runs
from taskflow.history.rows import Row, Rows, clean, cleaned, error_row
from taskflow.history.schema import AttemptRow, AuditRow, ErrorRow, EventRow, FeedRow, RunRow, TagRow
from taskflow.models import RunError, RunStatus
from taskflow.store.operations.encoding import error_json

RUNS, ATTEMPTS, EVENTS, TAGS, ERRORS, FEEDS = (
    cast("Table", kind.__table__) for kind in (RunRow, AttemptRow, EventRow, TagRow, ErrorRow, FeedRow)
)
TRIMMED: Final = 500


@dataclass(frozen=True, slots=True)
class RowBatch:
    """The rows of one transaction.

    Attributes:
        runs: Rows of records that were in the store.
        gone: Final or last known status, by run, of records that were not: (status, milliseconds, revision).
        events: (run id, position, kind, value).
        position: How far the shard's stream is in this batch; None leaves it as it is.
    """

    runs: Sequence[Rows]
    gone: Mapping[str, tuple[str, int, int]] = field(default_factory=dict[str, tuple[str, int, int]])
    events: Sequence[tuple[str, int, str, str]] = ()
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that has not ended, as the history has it."""

    id: str
    created: int
    revision: int


class Writer:
    """Writes one environment's runs."""

    def __init__(self, database: Database, environment: str) -> None:
        self._database = database
        self._environment = environment

    def write(self, batch: RowBatch, shard: int) -> None:
        """Write a batch in one transaction. A row changes only for a revision above its own.

        Raises:
            HistoryUnavailableError: The database did not answer, or is new and has no position of the shard. Nothing
                was written.
            RefusedError: A value is not possible there.
        """
        with self._database.writing() as connection:
            self._lock(connection, shard, batch.position)
            runs = sorted(batch.runs, key=lambda rows: str(rows.run["id"]))  # one order for all: no deadlocks
            ends, undone = new_ends(connection, runs, batch.gone)
            failures = [*_new_failures(connection, runs), *_run_failures(runs, ends)]
            _newer(connection, RUNS, [rows.run for rows in runs])
            _newer(connection, ATTEMPTS, [row for rows in runs for row in rows.attempts])
            _missing(connection, TAGS, sorted((row for rows in runs for row in rows.tags), key=_tag_order))
            _searchable(connection, [rows.error for rows in runs if rows.error])
            _missing(connection, EVENTS, [_event_row(*event) for event in sorted(batch.events)])
            for run_id, (status, at_ms, revision) in sorted(batch.gone.items()):
                _end(connection, run_id, status, at_ms, revision)
            count_ends(connection, self._environment, ends, undone)
            count_failures(connection, self._environment, failures)

    def position(self, shard: int) -> int | None:
        """Return how far a shard's stream is in this database, None when it must be rebuilt from the store."""
        with self._database.reading() as connection:
            feed = connection.execute(
                select(FeedRow.position, FeedRow.is_complete).where(
                    FeedRow.environment == self._environment, FeedRow.shard == shard
                )
            ).one_or_none()
        return feed.position if feed is not None and feed.is_complete else None

    def known(self, run_ids: Iterable[str]) -> set[str]:
        """Return which of these runs the history has."""
        cleaned = {clean(run_id): run_id for run_id in run_ids}
        with self._database.reading() as connection:
            found = connection.execute(select(RunRow.id).where(RunRow.id.in_(list(cleaned)))).scalars()
            return {cleaned[run_id] for run_id in found}

    def set_position(self, shard: int, position: int, *, is_complete: bool) -> None:
        """Record how far the stream is, and whether the history has everything before that."""
        row = {"environment": self._environment, "shard": shard, "position": position, "is_complete": is_complete}
        with self._database.writing() as connection:
            insert = _insert(connection, FEEDS)
            new = {"position": insert.excluded.position, "is_complete": insert.excluded.is_complete}
            connection.execute(insert.on_conflict_do_update(index_elements=FEEDS.primary_key, set_=new), [row])

    def unfinished(self, status: str, after: tuple[int, str], count: int) -> list[Unfinished]:
        """Return runs with a status that is not final, by creation and id, behind a place in this order."""
        columns = (RunRow.id, RunRow.created, RunRow.revision)
        place = tuple_(RunRow.created, RunRow.id)
        wanted = (RunRow.environment == self._environment, RunRow.status == status, place > after)
        listing = select(*columns).where(*wanted).order_by(RunRow.created, RunRow.id).limit(count)
        with self._database.reading() as connection:
            return [Unfinished(*row) for row in connection.execute(listing)]

    def end_lost(self, lost: Sequence[Unfinished], at_ms: int, error: RunError) -> None:
        """Write that the store has lost runs. A run that was written since is left alone; a later revision counts."""
        values: Row = {"status": RunStatus.SYSTEM_FAILURE, "finished": at_ms, "error": error_json(error)}
        revisions = {run.id: run.revision for run in lost}
        with self._database.writing() as connection:
            known = [row for row in unended_runs(connection, list(revisions)) if row.revision == revisions[row.id]]
            for row in known:
                connection.execute(update(RunRow).where(RunRow.id == row.id).values(values))
            ends = [
                end_of(row.id, row.task_id, RunStatus.SYSTEM_FAILURE, row.created, at_ms, row.record) for row in known
            ]
            count_ends(connection, self._environment, ends)
            group = cleaned(error)
            failures = [Failure(group, at_ms, row.task_id, row.version or "", is_run=True) for row in known]
            count_failures(connection, self._environment, failures)
            _searchable(
                connection, [error_row(row.id, self._environment, row.created, error, group.id) for row in known]
            )

    def trim(self, before_ms: int) -> int:
        """Delete up to 500 runs that finished before an instant, with all their rows. Returns how many.

        When there are none left, the counts and the actions of that time go, too.
        """
        with self._database.writing() as connection:
            old = (
                select(RunRow.id)
                .where(RunRow.environment == self._environment, RunRow.finished < before_ms)
                .limit(TRIMMED)
            )
            ids = list(connection.execute(old).scalars())
            if ids:
                for table in (EVENTS, ATTEMPTS, TAGS, ERRORS):
                    connection.execute(delete(table).where(table.c.run_id.in_(ids)))
                connection.execute(delete(RUNS).where(RUNS.c.id.in_(ids)))
            else:
                trim_rollups(connection, self._environment, before_ms, round(time.time() * 1000))
                trim_failures(connection, self._environment, before_ms)
                past = (AuditRow.environment == self._environment, AuditRow.at < before_ms)
                connection.execute(delete(AuditRow).where(*past))
        return len(ids)

    def tidy(self) -> None:
        """Let SQLite look at its statistics and shorten its log; PostgreSQL does that by itself."""
        if self._database.is_sqlite:
            with self._database.reading() as connection:
                raw: Any = connection.connection.dbapi_connection
                for pragma in ("analysis_limit=1000", "optimize", "wal_checkpoint(PASSIVE)"):
                    raw.execute(f"PRAGMA {pragma}")

    def _lock(self, connection: Connection, shard: int, position: int | None) -> None:
        """Lock the shard's feed until the end of the transaction, and advance its position."""
        here = (FEEDS.c.environment == self._environment, FEEDS.c.shard == shard)
        known = connection.execute(select(FEEDS.c.position).where(*here).with_for_update()).scalar_one_or_none()
        if position is None:
            return
        if known is None:
            raise HistoryUnavailableError("it is a new one")
        connection.execute(update(FEEDS).where(*here, FEEDS.c.position < position).values(position=position))


def _run_failures(runs: Sequence[Rows], ends: Sequence[RunEnd]) -> list[Failure]:
    """Return the errors that ended the runs of ``ends``."""
    ended = {end.run_id for end in ends}
    return [rows.failure for rows in runs if rows.failure is not None and rows.run["id"] in ended]


def _new_failures(connection: Connection, runs: Sequence[Rows]) -> list[Failure]:
    """Return the failed attempts of a batch whose end this batch writes: see ``_newer``."""
    failed = {str(rows.run["id"]): rows for rows in runs if rows.failures}
    if not failed:
        return []
    columns = (ATTEMPTS.c.run_id, ATTEMPTS.c.number, ATTEMPTS.c.revision, ATTEMPTS.c.outcome)
    stored = connection.execute(select(*columns).where(ATTEMPTS.c.run_id.in_(list(failed))))
    known = {
        (row.run_id, row.number)
        for row in stored
        if row.outcome is not None or row.revision >= failed[row.run_id].run["revision"]
    }
    return [
        failure
        for run_id, rows in failed.items()
        for number, failure in rows.failures.items()
        if (run_id, number) not in known
    ]


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def _newer(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert rows, or change those that are there under an older revision."""
    if not rows:
        return
    insert = _insert(connection, table)
    keys = {column.name for column in table.primary_key}
    new = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=table.primary_key, set_=new, where=insert.excluded.revision > table.c.revision
        ),
        rows,
    )


def _missing(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert the rows that are not there."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def _searchable(connection: Connection, rows: list[Row]) -> None:
    if rows:
        insert = _insert(connection, ERRORS)
        changed = insert.on_conflict_do_update(
            index_elements=[ERRORS.c.run_id],
            set_={"text": insert.excluded.text, "fingerprint": insert.excluded.fingerprint},
            where=or_(
                insert.excluded.text != ERRORS.c.text,
                insert.excluded.fingerprint.is_distinct_from(ERRORS.c.fingerprint),
            ),
        )
        connection.execute(changed, rows)


def _end(connection: Connection, run_id: str, status: str, at_ms: int, revision: int) -> None:
    values: Row = {"status": status, "revision": revision}
    if RunStatus(status).is_finished:
        values["finished"] = at_ms
    connection.execute(update(RUNS).where(RUNS.c.id == clean(run_id), RUNS.c.revision < revision).values(values))


def _event_row(run_id: str, position: int, kind: str, value: str) -> Row:
    return {"run_id": clean(run_id), "position": position, "kind": clean(kind), "value": clean(value)}


def _tag_order(row: Row) -> tuple[str, str]:
    return row["run_id"], row["tag"]
