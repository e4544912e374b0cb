"""The batches of the feed: the runs of the entries, as the store has them now, and the entries themselves."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from taskflow.store.events import Event, read_record
from taskflow.store.operations.nodes import retire_runs
from taskflow.store.sync_store import Store

if TYPE_CHECKING:
    from taskflow.history.database import Database
    from taskflow.history.rows import Rows
    from taskflow.history.writer import RowBatch, Writer

log = logging.getLogger("taskflow.history")
RECORDS_AT_ONCE: Final = 50
"""Records read in one round trip: each may hold a payload and an output of half a megabyte."""
ONLY_EVENTS: Final = frozenset({"log", "hook", "span"})
"""Kinds of entries that change no record."""
TRIMS_AT_ONCE: Final = 20


class FeedBatches:
    """Reads one shard's records and writes them to the database. Errors are those of store and history."""

    def __init__(
        self,
        store: Store,
        shard: int,
        open_database: "Callable[[], Database]",
        environment: str,
        store_retention: timedelta,
    ) -> None:
        self._store = store
        self._store_retention = store_retention
        self._shard = shard
        self._open_database = open_database
        self._environment = environment

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
        return self._writer.position(self._shard)

    def begin(self, position: int) -> None:
        """Write that the database is being rebuilt. After a crash in between the rebuild begins again."""
        self._writer.set_position(self._shard, position, is_complete=False)

    def complete(self, position: int) -> None:
        """Write that the database is rebuilt."""
        self._writer.set_position(self._shard, position, is_complete=True)

    def write(self, events: Sequence[Event]) -> None:
        """Write entries and their runs. One upsert a run, whatever the number of its entries."""
        from taskflow.history.writer import RowBatch

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
        self._write(RowBatch(rows, gone, entries, max(event.position for event in events)))

    def write_runs(self, run_ids: Sequence[str], revision: int) -> int:
        """Write runs as the store has them now. Return how many there were."""
        from taskflow.history.writer import RowBatch

        rows, _ = self._rows(dict.fromkeys(run_ids, revision))
        self._write(RowBatch(rows))
        return len(rows)

    def trim(self, before: datetime) -> int:
        """Delete runs that finished before an instant, at most some thousands. Return how many."""
        deleted = 0
        for _ in range(TRIMS_AT_ONCE):
            count = self._writer.trim(round(before.timestamp() * 1000))
            deleted += count
            if not count:
                break
        self._writer.tidy()
        return deleted

    @cached_property
    def _writer(self) -> "Writer":
        from taskflow.history.writer import Writer

        return Writer(self.database, self._environment)

    def _unknown(self, run_ids: set[str]) -> set[str]:
        return run_ids - self._writer.known(run_ids) if run_ids else run_ids

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
                    rows.append(rows_of(self._environment, run_id, revisions[run_id], record))
                except (ValueError, KeyError, TypeError) as error:
                    log.error("history.unreadable: %s: %s", type(error).__name__, error, extra={"run_id": run_id})
        return rows, missing

    def _write(self, batch: "RowBatch") -> None:
        from taskflow.history.database import RefusedError
        from taskflow.history.writer import write_one_by_one

        try:
            self._writer.write(batch, self._shard)
        except RefusedError:
            for run_id, why in write_one_by_one(self._writer, batch, self._shard):
                log.error("history.refused: %s", why, extra={"run_id": run_id})
        if batch.runs:
            ids = [str(row.run["id"]) for row in batch.runs]
            self._store.run(retire_runs(ids, self._store_retention), shard=self._shard)
