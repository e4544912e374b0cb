"""The thread that moves a shard's events into the history, at least once and without delaying a run.

One node leads at a time. The database holds the position that it has reached, written in the transaction of the rows.
The consumer group holds the entries that were read and not acknowledged. Where the two disagree, the database counts.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from taskflow.definition.documents.hiding import NOTHING_HIDDEN, Hiding
from taskflow.engine.alerts.sending import MailServer
from taskflow.errors import HistoryUnavailableError, StoreUnavailableError
from taskflow.settings import Settings
from taskflow.store.events import KEPT, Event, EventGroup, GroupMissingError, entry_id
from taskflow.store.keys import EVENTS
from taskflow.store.sync_store import Store
from taskflow.upkeep.alerts import AlertThread
from taskflow.upkeep.feed_batches import FeedBatches
from taskflow.upkeep.lost_runs import LostRuns
from taskflow.upkeep.queue_samples import SamplingThread
from taskflow.upkeep.schedule_copies import ScheduleCopies
from taskflow.worker.repeating_thread import RepeatingThread

if TYPE_CHECKING:  # SQLAlchemy takes 30 MB: only the node that leads imports it
    from taskflow.history.database import Database

log = logging.getLogger("taskflow.history")
PER_BATCH: Final = 500
LEAD: Final = timedelta(seconds=15)
"""The time after which a leader that does not renew its lead is taken for dead."""
CLAIM_AFTER: Final = timedelta(seconds=30)
TIDY_EVERY: Final = timedelta(minutes=5)
LOOK_EVERY: Final = timedelta(minutes=1)
"""The interval of looks for runs that the store has lost."""
COPY_EVERY: Final = timedelta(seconds=10)
"""The interval at which changed schedules are copied."""
LINGER_SECONDS: Final = 0.1
"""Time for which entries are gathered after the first, so that many share one transaction."""
BLOCK_MS: Final = 5000
ALARM: Final = KEPT // 2
UNHURRIED: Final = KEPT // 4
"""Up to this many entries behind, the feed works a fifth of the time at most."""
REST: Final = 4
LONGEST_REST_SECONDS: Final = 1.0


def alert_thread(store: Store, settings: Settings, mail: MailServer) -> AlertThread:
    """Return the thread that looks for the events of alerts and sends them."""
    return AlertThread(store, _opener(settings), settings.environment, mail)


def sampling_thread(store: Store, settings: Settings) -> SamplingThread:
    """Return the thread that keeps the load of queues."""
    return SamplingThread(store, _opener(settings), settings.environment)


def _opener(settings: Settings) -> "Callable[[], Database]":
    def open_database() -> "Database":
        from taskflow.history.database import Database, database_url

        url = database_url(settings)
        assert url is not None
        return Database(url)

    return open_database


def feed_thread(store: Store, settings: Settings, shard: int, node_id: str) -> "FeedThread":
    """Return the thread that feeds a shard's history."""

    return FeedThread(
        store,
        shard,
        node_id,
        _opener(settings),
        settings.environment,
        settings.history_retention,
        settings.retention,
        Hiding.of(settings.redact),
    )


class FeedThread(RepeatingThread):
    """Feeds while its node leads. It runs in the process of ``feed_process``."""

    def __init__(
        self,
        store: Store,
        shard: int,
        node_id: str,
        open_database: "Callable[[], Database]",
        environment: str,
        retention: timedelta,
        store_retention: timedelta,
        hiding: Hiding = NOTHING_HIDDEN,
    ) -> None:
        super().__init__(f"taskflow-history-{shard}")
        self._store = store
        self._shard = shard
        self._node_id = node_id
        self._retention = retention
        self._group = EventGroup(store, shard)
        self._batches = FeedBatches(store, shard, open_database, environment, store_retention, hiding)
        self._is_aligned = False
        self._is_behind = True
        self._backoff = 0.0
        self._losses = 0
        self._lost = LostRuns(store, shard, lambda: self._batches.writer)
        self._copies = ScheduleCopies(store, shard, lambda: self._batches.schedules)
        self._claim_at = self._tidy_at = self._look_at = self._copy_at = time.monotonic()  # due at once

    def stop(self) -> None:
        """Ask the thread to end, and let another node lead. Entries that were read and not written come again."""
        super().stop()
        try:
            self._group.give_lead(self._node_id)
        except StoreUnavailableError as error:
            log.warning("history.left_unsaid: %s", error)

    def turn(self) -> float:
        """Move one batch."""
        pause = self._advance()
        self._backoff = 0.0
        return pause

    def handle_error(self, error: Exception) -> float:
        """Log it, and have the next turn align database and group anew."""
        self._is_aligned = False
        if isinstance(error, GroupMissingError):
            return 0.0
        if isinstance(error, HistoryUnavailableError):
            return self._wait(error)
        if isinstance(error, StoreUnavailableError):
            log.warning("history.waiting: %s", error)
            return 1.0
        log.error("history.failed", exc_info=error)
        return 5.0

    def end(self) -> None:
        """Close the database."""
        self._batches.close()

    def _advance(self) -> float:
        """Move one batch. Return how many seconds to pause."""
        if not self._group.take_lead(self._node_id, LEAD):
            self._is_aligned = False
            return LEAD.total_seconds() / 3
        if not self._is_aligned:
            self._align()
        self._claim()
        self._tidy()
        self._copy_schedules()
        state, events = self._group.read(self._node_id, PER_BATCH)
        if state.has_lost:
            self._rebuild("entries were trimmed from the store's stream before they were read")
        if events:
            began = time.monotonic()
            self._move(events)
            if len(events) == PER_BATCH:
                return self._rest(time.monotonic() - began, state.lag)
            self._end_lost_runs()
            return LINGER_SECONDS
        self._catch_up()
        self._end_lost_runs()
        entries = self._store.read_stream(EVENTS, entry_id(state.last), shard=self._shard, block_ms=BLOCK_MS, count=1)
        return LINGER_SECONDS if entries else 0.0

    def _rest(self, worked: float, behind: int) -> float:
        """Return how long to rest after a full batch. Runs go first while the stream has room for what waits.

        Entries that wait also cost less, because changes of one run that come together are written once.
        """
        return 0.0 if behind > UNHURRIED else min(worked * REST, LONGEST_REST_SECONDS)

    def _move(self, events: list[Event]) -> None:
        self._batches.write(events)
        if self._batches.database.is_lost():
            raise HistoryUnavailableError(f"{self._batches.database.address} was deleted or replaced")
        self._group.acknowledge(events)
        if len(events) == PER_BATCH:
            self._is_behind = True

    def _copy_schedules(self) -> None:
        if time.monotonic() >= self._copy_at:
            self._copies.look()
            self._copy_at = time.monotonic() + COPY_EVERY.total_seconds()

    def _claim(self) -> None:
        """Take over entries that a node has read and not written, because it died or the database did not answer."""
        if time.monotonic() < self._claim_at:
            return
        events, has_lost = self._group.claim(self._node_id, CLAIM_AFTER, PER_BATCH)
        if has_lost:
            self._rebuild("entries were trimmed from the store's stream while nobody could write them")
        if events:
            log.info("history.resumed: %d entries that another node had read", len(events))
            self._move(events)
        if len(events) < PER_BATCH:
            self._claim_at = time.monotonic() + CLAIM_AFTER.total_seconds()

    def _align(self) -> None:
        """Make database and group agree on what is written."""
        database = self._batches.database
        database.abandon()
        if database.losses > self._losses:
            log.error("history.lost: %s was deleted or replaced; it is made anew", database.address)
            self._losses = database.losses
        database.prepare()
        known = self._batches.position()
        try:
            state = self._group.state()
        except GroupMissingError:
            self._batches.begin(
                0
            )  # before there is a group, so that a crash in between does not look as if all were here
            self._group.create()
            known, state = None, self._group.state()
        if known is None or known > state.last:
            self._rebuild("this database has not met this store")
        elif state.has_lost_after(known):
            self._rebuild("entries were trimmed from the store's stream before they were read")
        elif state.delivered > known:
            self._group.rewind(known)
        self._is_aligned = True

    def _rebuild(self, why: str) -> None:
        """Read every run from the store, and the stream from its beginning."""
        state = self._group.state()
        level = logging.WARNING if state.last else logging.INFO  # nothing is to be read from a new store
        log.log(level, "history.rebuilding: %s", why)
        self._batches.begin(state.last)
        self._group.rewind(0)
        count = 0
        for run_ids in self._group.run_ids(PER_BATCH):
            count += self._batches.write_runs(run_ids, state.last)
            self._group.take_lead(self._node_id, LEAD)
        self._batches.complete(state.last)
        self._look_at = time.monotonic()
        log.log(level, "history.rebuilt: %d runs", count)

    def _wait(self, error: HistoryUnavailableError) -> float:
        """Log that the database is away. Return how long to pause: nothing is lost, because the stream keeps it."""
        if not self._backoff:
            log.error("history.waiting: %s", error)
        self._is_behind = True
        self._alarm()
        self._backoff = min(max(self._backoff * 2, 0.5), 5.0)
        return self._backoff

    def _alarm(self) -> None:
        try:
            behind = self._group.state().lag
        except (StoreUnavailableError, GroupMissingError):
            return
        if behind > ALARM:
            log.error("history.behind: %d entries wait, and the stream keeps about %d", behind, KEPT)

    def _catch_up(self) -> None:
        if self._is_behind:
            log.info("history.caught_up")
        self._is_behind = False

    def _tidy(self) -> None:
        """Delete what is older than the retention, also while runs keep coming. What is left of it is due at once."""
        if time.monotonic() < self._tidy_at:
            return
        trimmed, is_all = self._batches.trim(datetime.now(UTC) - self._retention)
        if trimmed:
            log.info("history.trimmed: %d runs", trimmed)
        if is_all:
            self._group.forget_consumers(timedelta(hours=1))
            self._tidy_at = time.monotonic() + TIDY_EVERY.total_seconds()

    def _end_lost_runs(self) -> None:
        """Look for runs that the store has lost. Called when no entry waits that could have the end of such a run."""
        if time.monotonic() >= self._look_at and self._lost.look():
            self._look_at = time.monotonic() + LOOK_EVERY.total_seconds()
