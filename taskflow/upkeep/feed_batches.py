"""The batches of the feed: the runs of the entries, as the store has them now, and the entries themselves."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from taskflow.definition.documents.hiding import Hiding
from taskflow.errors import HistoryUnavailableError, StoreUnavailableError
from taskflow.store.events import Event, GroupMissingError, count_set_aside, read_record
from taskflow.store.operations.nodes import retire_runs
from taskflow.store.sync_store import Store

if TYPE_CHECKING:
    from taskflow.history.database import Database
    from taskflow.history.rows import Rows
    from taskflow.history.schedules import ScheduleRows
    from taskflow.history.writer import Writer

log = logging.getLogger("taskflow.history")
RECORDS_AT_ONCE: Final = 50
"""Records read in one round trip: each may hold a payload and an output of half a megabyte."""
ONLY_EVENTS: Final = frozenset({"log", "hook", "span", "trace"})
"""Kinds of entries that change no record."""
TRIMS_AT_ONCE: Final = 4
REMEMBERED: Final = 10_000
"""Runs that were set aside and are remembered, so that each is logged once."""


class FeedBatches:
    """Reads one shard's records and writes them to the database. Errors are those of store and history."""

    def __init__(
        self,
        store: Store,
        shard: int,
        open_database: "Callable[[], Database]",
        environment: str,
        store_retention: timedelta,
        hiding: Hiding,
    ) -> None:
        self._store, self._hiding = store, hiding
        self._store_retention = store_retention
        self._shard = shard
        self._open_database = open_database
        self._environment = environment
        self._aside: set[str] = set()

    @cached_property
    def database(self) -> "Database":
        """The database, opened at the first use."""
        return self._open_database()

    def close(self) -> None:
        """Close the database, if it was opened."""
        if "database" in self.__dict__:
            self.database.close()

    def position(self) -> int | None:
        """Return how far the stream is in the database, None when it must be rebuilt."""
        return self.writer.position(self._shard)

    def begin(self, position: int) -> None:
        """Write that the database is being rebuilt. After a crash in between the rebuild begins again."""
        self.writer.set_position(self._shard, position, is_complete=False)

    def complete(self, position: int) -> None:
        """Write that the database is rebuilt."""
        self.writer.set_position(self._shard, position, is_complete=True)

    def write(self, events: Sequence[Event]) -> None:
        """Write entries and their runs. One upsert a run, whatever the number of its entries.

        When the batch can't be written, it is written run by run, and a run that can't be written is set aside: no
        entry stops the feed.
        """
        position = max(event.position for event in events)
        try:
            self._write_events(events, position)
        except Exception as error:  # noqa: BLE001 - any value that a user has chosen may be the reason
            _raise_if_away(error)
            of_run: dict[str, list[Event]] = {}
            for event in events:
                of_run.setdefault(event.run_id, []).append(event)
            for run_id, own in of_run.items():
                self._write_alone(run_id, partial(self._write_events, own, None))
            self._write(position=position)

    def write_runs(self, run_ids: Sequence[str], revision: int) -> int:
        """Write runs as the store has them now. Return how many there were."""
        rows, _ = self._rows(dict.fromkeys(run_ids, revision))
        try:
            self._write(rows)
        except Exception as error:  # noqa: BLE001 - as above
            _raise_if_away(error)
            for row in rows:
                self._write_alone(row.run_id, partial(self._write, [row]))
        return len(rows)

    def trim(self, before: datetime) -> tuple[int, bool]:
        """Delete runs that finished before an instant, at most some thousands. Return how many, and whether all."""
        deleted = 0
        for _ in range(TRIMS_AT_ONCE):
            count = self.writer.trim(round(before.timestamp() * 1000))
            deleted += count
            if not count:
                self.writer.tidy()
                return deleted, True
        return deleted, False

    @cached_property
    def writer(self) -> "Writer":
        """The writer into the database."""
        from taskflow.history.writer import Writer

        return Writer(self.database, self._environment)

    @cached_property
    def schedules(self) -> "ScheduleRows":
        """The copies of schedules in the database."""
        from taskflow.history.schedules import ScheduleRows

        return ScheduleRows(self.database, self._environment)

    def _unknown(self, run_ids: set[str]) -> set[str]:
        return run_ids - self.writer.known(run_ids) if run_ids else run_ids

    def _rows(self, revisions: dict[str, int]) -> "tuple[list[Rows], list[str]]":
        from taskflow.history.rows import rows_of

        rows: list[Rows] = []
        missing: list[str] = []
        ids = list(revisions)
        for start in range(0, len(ids), RECORDS_AT_ONCE):
            chunk = ids[start : start + RECORDS_AT_ONCE]
            records = self._store.run_many([(read_record(run_id), self._shard) for run_id in chunk])
            for run_id, record in zip(chunk, records, strict=True):
                if record is None:
                    missing.append(run_id)
                    continue
                try:
                    rows.append(rows_of(self._environment, run_id, revisions[run_id], record, self._hiding))
                except Exception as error:  # noqa: BLE001 - as above
                    self._set_aside(run_id, error)
        return rows, missing

    def _write_events(self, events: Sequence[Event], position: int | None) -> None:
        newest = {event.run_id: event.position for event in events}
        changed = {event.run_id for event in events if event.kind not in ONLY_EVENTS}
        changed |= self._unknown(set(newest) - changed)
        rows, missing = self._rows({run_id: newest[run_id] for run_id in newest if run_id in changed})
        statuses = {event.run_id: event for event in events if event.kind == "status"}
        gone = {
            run_id: (event.value, event.at_ms, event.position)
            for run_id in missing
            if (event := statuses.get(run_id)) is not None
        }
        orphans = self._unknown(set(missing))  # neither in the store any more nor in this database
        entries = [
            (event.run_id, event.position, event.kind, event.value) for event in events if event.run_id not in orphans
        ]
        self._write(rows, gone, entries, position)

    def _write(
        self,
        rows: "Sequence[Rows]" = (),
        gone: Mapping[str, tuple[str, int, int]] | None = None,
        entries: Sequence[tuple[str, int, str, str]] = (),
        position: int | None = None,
    ) -> None:
        from taskflow.history.writer import RowBatch

        self.writer.write(RowBatch(rows, gone or {}, entries, position), self._shard)
        if rows:
            ids = [row.run_id for row in rows]
            self._store.run(retire_runs(ids, self._store_retention), shard=self._shard)

    def _write_alone(self, run_id: str, write: Callable[[], None]) -> None:
        try:
            write()
        except Exception as error:  # noqa: BLE001 - as above
            _raise_if_away(error)
            self._set_aside(run_id, error)

    def _set_aside(self, run_id: str, error: Exception) -> None:
        """Log once that a run can't be written, and count it, for the doctor. The store keeps it for 30 days."""
        if run_id in self._aside:
            return
        if len(self._aside) == REMEMBERED:
            self._aside.clear()
        self._aside.add(run_id)
        count = count_set_aside(self._store, self._shard)
        reason = getattr(error, "reason", "") or f"{type(error).__name__}: {error}"
        log.error("history.set_aside: run %r can't be written, the %d. of its kind: %.500s", run_id, count, reason)


def _raise_if_away(error: Exception) -> None:
    """Raise the error again if store or database did not answer, so that trying again helps."""
    from taskflow.history.database import RefusedError

    is_away = isinstance(error, StoreUnavailableError | GroupMissingError | HistoryUnavailableError)
    if is_away and not isinstance(error, RefusedError):
        raise error
