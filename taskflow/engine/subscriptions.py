"""Follow runs: yield a run's record now, and again after every change.

A subscriber reads a record together with its position in the stream of events, and then takes the events after that
position. So it misses no change and gets none twice, however often the connection is lost. Where the capped
stream has lost events, the record shows the change up to 5 seconds later.
"""

import asyncio
import queue
import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import replace
from typing import Final

from taskflow.errors import StoreUnavailableError
from taskflow.models import Run, RunStatus
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.events import Event, event_of, position
from taskflow.store.followers import LOOK_AGAIN_SECONDS, AsyncStreamFollower, StreamFollower
from taskflow.store.keys import EVENTS
from taskflow.store.sync_store import Store

_NAME: Final = "taskflow-events"
_PAUSE_SECONDS: Final = 0.2
_CHANGES: Final = frozenset({"status", "rescheduled", "metadata", "tags"})


class Subscription:
    """The changes of a run that one subscriber has seen. No I/O."""

    def __init__(self, newest: str, run: Run) -> None:
        self.run: Run = run
        self._position = position(newest)

    def is_news(self, event: Event) -> bool:
        """Whether an event is a change that was not seen."""
        if event.position <= self._position:
            return False
        self._position = event.position
        return event.kind in _CHANGES

    def changed(self, event: Event, record: Run) -> Run:
        """Return the run as the event left it. ``record`` was read later and may show later changes."""
        status = RunStatus(event.value) if event.kind == "status" else self.run.status
        self.run = record if record.status is status else _as_of(record, status)
        return self.run

    def missed(self, newest: str, record: Run, read_up_to: str) -> Run | None:
        """Return the run when its status changed, and the listener has read the stream without delivering that change.

        Args:
            newest: The event that the record shows.
            read_up_to: The event up to which the listener has read.
        """
        if position(newest) > position(read_up_to) or record.status is self.run.status:
            return None
        self._position, self.run = position(newest), record
        return record


class EventListener:
    """Yields runs to the threads that follow them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._follower = StreamFollower(store, EVENTS, _NAME)

    def close(self) -> None:
        """End the threads and the subscriptions."""
        self._follower.close()

    def subscribe(self, run_id: str) -> Generator[Run]:
        """Yield a run as it is now, and after every change.

        Raises:
            RunNotFoundError: No such run.
            StoreUnavailableError: The store did not answer the first read. Later reads wait for it.
        """
        shard = self._store.shard_of(run_id)
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        with self._follower.following(run_id, lambda entry: events.put(event_of(entry.id, entry.fields))):
            self._follower.listen([shard])
            subscription = Subscription(*self._store.run(operations.batches.watch_run(run_id), shard=shard))
            yield subscription.run
            while not subscription.run.is_finished and not self._follower.is_closed:
                try:
                    event = events.get(timeout=LOOK_AGAIN_SECONDS)
                except queue.Empty:
                    if missed := self._look_again(subscription, run_id, shard):
                        yield missed
                    continue
                if subscription.is_news(event):
                    yield subscription.changed(event, self._read(run_id, shard))

    def _read(self, run_id: str, shard: int) -> Run:
        while True:
            try:
                return self._store.run(operations.runs.read_run(run_id), shard=shard)
            except StoreUnavailableError:
                if self._follower.is_closed:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _look_again(self, subscription: Subscription, run_id: str, shard: int) -> Run | None:
        try:
            newest, record = self._store.run(operations.batches.watch_run(run_id), shard=shard)
        except StoreUnavailableError:
            return None
        return subscription.missed(newest, record, self._follower.read_up_to(shard))


class AsyncEventListener:
    """Yields runs to the coroutines of one event loop that follow them."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._follower = AsyncStreamFollower(store, EVENTS, _NAME)

    async def subscribe(self, run_id: str) -> AsyncGenerator[Run]:
        """Yield a run as it is now, and after every change. See ``EventListener.subscribe``."""
        shard = await self._store.shard_of(run_id)
        events: asyncio.Queue[Event] = asyncio.Queue()
        with self._follower.following(run_id, lambda entry: events.put_nowait(event_of(entry.id, entry.fields))):
            await self._follower.listen([shard])
            subscription = Subscription(*await self._store.run(operations.batches.watch_run(run_id), shard=shard))
            yield subscription.run
            while not subscription.run.is_finished:
                try:
                    async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                        event = await events.get()
                except TimeoutError:
                    if missed := await self._look_again(subscription, run_id, shard):
                        yield missed
                    continue
                if subscription.is_news(event):
                    yield subscription.changed(event, await self._read(run_id, shard))

    async def _read(self, run_id: str, shard: int) -> Run:
        while True:
            try:
                return await self._store.run(operations.runs.read_run(run_id), shard=shard)
            except StoreUnavailableError:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _look_again(self, subscription: Subscription, run_id: str, shard: int) -> Run | None:
        try:
            newest, record = await self._store.run(operations.batches.watch_run(run_id), shard=shard)
        except StoreUnavailableError:
            return None
        return subscription.missed(newest, record, self._follower.read_up_to(shard))


def _as_of(record: Run, status: RunStatus) -> Run:
    if status.is_finished:
        return replace(record, status=status)
    return replace(record, status=status, output=None, error=None, finished_at=None)
