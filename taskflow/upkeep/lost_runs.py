"""Runs that the store has lost, because it was emptied or came back without its last writes, and the history has."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from taskflow.models import RunError, RunStatus
from taskflow.store.events import existing_runs
from taskflow.store.sync_store import Store
from taskflow.store.wire import locate

if TYPE_CHECKING:
    from taskflow.history.writer import Unfinished, Writer

log = logging.getLogger("taskflow.history")
LOST: Final = RunError(
    "RunLost",
    "The store has lost this run: it was emptied, or came back without its last writes. The run may have executed. "
    "Replay it if it is to run again.",
)
_AT_ONCE: Final = 500
_LONGEST_SECONDS: Final = 1.0
REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands in the history for what a database cannot hold."""


class LostRuns:
    """Ends those unfinished runs of the history that the store does not have.

    A run leaves the store only after the history has its end. So the history must have every event before a look.
    """

    def __init__(self, store: Store, shard: int, writer: Callable[[], "Writer"]) -> None:
        self._store, self._shard, self._writer = store, shard, writer
        self._pages: Iterator[Sequence[Unfinished]] | None = None

    def look(self) -> bool:
        """Look at runs for a second. Return whether all have been looked at; otherwise the next call goes on.

        Raises:
            StoreUnavailableError, HistoryUnavailableError: One of them did not answer.
        """
        until = time.monotonic() + _LONGEST_SECONDS
        pages = self._pages = self._pages or self._unfinished()
        for page in pages:
            self._end_lost(page)
            if time.monotonic() > until:
                return False
        self._pages = None
        return True

    def _unfinished(self) -> "Iterator[Sequence[Unfinished]]":
        for status in RunStatus:
            place = (0, "")
            while not status.is_finished and (page := self._writer().unfinished(status, place, _AT_ONCE)):
                place = (page[-1].created, page[-1].id)
                yield page

    def _end_lost(self, page: "Sequence[Unfinished]") -> None:
        shards = self._store.config.shards
        known = [run for run in page if REPLACED not in run.id]  # else it is not the id in the store
        own = [run for run in known if locate(run.id, shards)[0] == self._shard]
        there, now_ms = existing_runs(self._store, [run.id for run in own])
        if lost := [run for run in own if run.id not in there]:
            self._writer().end_lost(lost, now_ms, LOST)
            log.warning("history.lost_runs: the store has lost %d runs, for example %s", len(lost), lost[0].id)
