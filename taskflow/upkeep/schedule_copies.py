"""Copies the schedules that programs have made into the history, and brings them back into a store that was emptied.

The next tick of a schedule that was brought back is the first one after now: nothing is made up for.
"""

import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from taskflow.engine.schedules.plan import next_tick
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.schedules.calls import NextTick, copy_schedules, list_schedules, put_schedule
from taskflow.store.operations.schedules.records import Copied, StoredSchedule, document_of, schedule_of
from taskflow.store.sync_store import Store

if TYPE_CHECKING:
    from taskflow.history.schedules import ScheduleRows

log = logging.getLogger("taskflow.history")
_PAGE: Final = 500


class ScheduleCopies:
    """The copies of one shard's schedules."""

    def __init__(self, store: Store, shard: int, rows: "Callable[[], ScheduleRows]") -> None:
        self._store, self._shard, self._rows = store, shard, rows
        self._prefix = f"sched_{shard:02x}"
        self._has_looked = False

    def look(self) -> None:
        """Copy what was changed since the last look.

        Raises:
            StoreUnavailableError, HistoryUnavailableError: One of them did not answer.
        """
        copied = self._store.run(copy_schedules(_PAGE), shard=self._shard)
        if not copied.has_met or not self._has_looked:
            self._meet(copied)
            copied = self._store.run(copy_schedules(_PAGE, mark=True), shard=self._shard)
        while copied.records or copied.gone:
            self._write(copied.records, copied.gone)
            copied = self._store.run(copy_schedules(_PAGE, copied.done()), shard=self._shard)
            if len(copied.records) + len(copied.gone) < _PAGE:  # the rest was changed meanwhile
                break

    def _meet(self, copied: Copied) -> None:
        """Bring the copies into a store that has lost its schedules; copy all for a history that has none."""
        rows = self._rows()
        page = rows.read(self._prefix)
        if not page:
            self._copy_all()
        elif not copied.has_met:
            while page:
                restores = [self._restore(each, document, copied.now) for each, document in page.items()]
                self._store.run_many([(restore, self._shard) for restore in restores])
                log.warning("schedules.restored: %d, because the store had lost them", len(page))
                page = rows.read(self._prefix, after=max(page))
        self._has_looked = True

    def _copy_all(self) -> None:
        offset, total = 0, 1
        while offset < total:
            read = self._store.run(list_schedules(offset, _PAGE), shard=self._shard)
            self._write([each for each in read.found if not each.schedule.is_declared], [])
            offset, total = offset + _PAGE, read.total

    def _write(self, records: Sequence[StoredSchedule], gone: Sequence[str]) -> None:
        documents = {each.schedule.id: json.dumps(document_of(each.schedule)) for each in records}
        if documents or gone:
            self._rows().write(documents, gone)

    def _restore(self, schedule_id: str, document: str, now: datetime) -> Operation[Any]:
        fields: dict[str, str] = json.loads(document)
        rule = schedule_of(schedule_id, fields, now).rule
        following = NextTick(None, None)
        if fields.get("active") != "0":
            following = next_tick(rule, schedule_id, rule.after(now))
        return put_schedule(schedule_id, None, fields, following)
