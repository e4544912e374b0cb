"""Follow runs: one listener a process (and one an event loop) on each shard's stream of events.

A subscriber takes a record together with its position in the stream, and what comes behind that position: no change is
missed and none comes twice, however often the connection is lost in between. Where the capped stream went past a
listener, the record itself tells, 5 seconds later.
"""

import asyncio
import queue
import threading
import time
from collections.abc import AsyncGenerator, Generator, Iterable
from contextvars import Context
from dataclasses import dataclass, replace
from typing import Final

from taskflow.errors import StoreUnavailableError
from taskflow.models import Run, RunStatus
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.encoding import pairs
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_run

LOOK_AGAIN_SECONDS: Final = 5.0
_BLOCK_MS: Final = 2000
_PAUSE_SECONDS: Final = 0.2
_STREAM: Final = "events"
_CHANGES: Final = frozenset({"status", "rescheduled", "metadata", "tags"})


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the stream."""

    position: tuple[int, int]
    run_id: str
    kind: str
    value: str


class Follower:
    """What one subscriber has seen of its run. No I/O."""

    def __init__(self, position: str, run: Run) -> None:
        self.run: Run = run
        self._position: tuple[int, int] = _position(position)

    def is_news(self, event: Event) -> bool:
        """Whether an event is a change that was not seen."""
        if event.position <= self._position:
            return False
        self._position = event.position
        return event.kind in _CHANGES

    def changed(self, event: Event, record: Run) -> Run:
        """Return the run as the event left it. ``record`` was read later and may be further on."""
        status = RunStatus(event.value) if event.kind == "status" else self.run.status
        self.run = record if record.status is status else _as_of(record, status)
        return self.run

    def missed(self, position: str, record: Run, listened: str) -> Run | None:
        """Return the run when a listener that has read all up to ``listened`` did not tell what it has become."""
        newest = _position(position)
        if newest > _position(listened) or record.status is self.run.status:
            return None
        self._position, self.run = newest, record
        return record


class EventListener:
    """Feeds the threads that follow a run. Its thread lives while somebody does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._feeds: dict[str, list[queue.SimpleQueue[Event]]] = {}
        self._listening: list[bool] = [False] * store.config.shards
        self._after: list[str] = ["0"] * store.config.shards
        self._is_closed = False

    def close(self) -> None:
        """End the thread, and the subscriptions."""
        self._is_closed = True

    def subscribe(self, run_id: str) -> Generator[Run]:
        """Yield a run as it is, and after every change.

        Raises:
            RunNotFoundError: No such run.
            StoreUnavailableError: The store did not answer at first; later on it is waited for.
        """
        shard = self._shard(run_id)
        feed = self._enlist(shard, run_id)
        try:
            follower = Follower(*self._store.run(operations.batches.watch_run(run_id), shard=shard))
            yield follower.run
            while not follower.run.is_finished and not self._is_closed:
                try:
                    event = feed.get(timeout=LOOK_AGAIN_SECONDS)
                except queue.Empty:
                    found = self._look_again(follower, run_id, shard)
                    if found:
                        yield found
                    continue
                if follower.is_news(event):
                    yield follower.changed(event, self._read(run_id, shard))
        finally:
            self._delist(run_id, feed)

    def _shard(self, run_id: str) -> int:
        named = shard_of_run(run_id)
        if named is not None and named < self._store.config.shards:
            return named
        for shard in range(self._store.config.shards - 1):
            if self._store.run(operations.batches.read_statuses([run_id]), shard=shard)[0]:
                return shard
        return self._store.config.shards - 1

    def _read(self, run_id: str, shard: int) -> Run:
        while True:
            try:
                return self._store.run(operations.runs.read_run(run_id), shard=shard)
            except StoreUnavailableError:
                if self._is_closed:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _look_again(self, follower: Follower, run_id: str, shard: int) -> Run | None:
        try:
            position, record = self._store.run(operations.batches.watch_run(run_id), shard=shard)
        except StoreUnavailableError:
            return None
        return follower.missed(position, record, self._after[shard])

    def _enlist(self, shard: int, run_id: str) -> "queue.SimpleQueue[Event]":
        feed: queue.SimpleQueue[Event] = queue.SimpleQueue()
        with self._lock:
            if not self._listening[shard]:
                self._after[shard] = self._store.last_stream_id(_STREAM, shard=shard)
                self._listening[shard] = True
                threading.Thread(target=self._listen, args=(shard,), name="taskflow-events", daemon=True).start()
            self._feeds.setdefault(run_id, []).append(feed)
        return feed

    def _delist(self, run_id: str, feed: "queue.SimpleQueue[Event]") -> None:
        with self._lock:
            feeds = self._feeds[run_id]
            feeds.remove(feed)
            if not feeds:
                del self._feeds[run_id]

    def _listen(self, shard: int) -> None:
        while True:
            with self._lock:
                if self._is_closed or not self._feeds:
                    self._listening[shard] = False
                    return
            try:
                entries = self._store.read_stream(_STREAM, self._after[shard], shard=shard, block_ms=_BLOCK_MS)
            except StoreUnavailableError:
                time.sleep(_PAUSE_SECONDS)
                continue
            with self._lock:
                for event in _events(entries):
                    for feed in self._feeds.get(event.run_id, ()):
                        feed.put(event)
                if entries:
                    self._after[shard] = entries[-1][0].decode()


class AsyncEventListener:
    """The same for the coroutines of one event loop."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._feeds: dict[str, list[asyncio.Queue[Event]]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._after: list[str] = ["0"] * store.config.shards

    async def subscribe(self, run_id: str) -> AsyncGenerator[Run]:
        """Yield a run as it is, and after every change. See ``EventListener.subscribe``."""
        shard = await self._shard(run_id)
        feed = await self._enlist(shard, run_id)
        try:
            follower = Follower(*await self._store.run(operations.batches.watch_run(run_id), shard=shard))
            yield follower.run
            while not follower.run.is_finished:
                try:
                    async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                        event = await feed.get()
                except TimeoutError:
                    found = await self._look_again(follower, run_id, shard)
                    if found:
                        yield found
                    continue
                if follower.is_news(event):
                    yield follower.changed(event, await self._read(run_id, shard))
        finally:
            self._delist(run_id, feed)

    async def _shard(self, run_id: str) -> int:
        named = shard_of_run(run_id)
        if named is not None and named < self._store.config.shards:
            return named
        for shard in range(self._store.config.shards - 1):
            if (await self._store.run(operations.batches.read_statuses([run_id]), shard=shard))[0]:
                return shard
        return self._store.config.shards - 1

    async def _read(self, run_id: str, shard: int) -> Run:
        while True:
            try:
                return await self._store.run(operations.runs.read_run(run_id), shard=shard)
            except StoreUnavailableError:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _look_again(self, follower: Follower, run_id: str, shard: int) -> Run | None:
        try:
            position, record = await self._store.run(operations.batches.watch_run(run_id), shard=shard)
        except StoreUnavailableError:
            return None
        return follower.missed(position, record, self._after[shard])

    async def _enlist(self, shard: int, run_id: str) -> "asyncio.Queue[Event]":
        feed: asyncio.Queue[Event] = asyncio.Queue()
        self._feeds.setdefault(run_id, []).append(feed)  # before anything is awaited: the listener must not end
        task = self._tasks.get(shard)
        if task is None or task.done():
            try:
                after = await self._store.last_stream_id(_STREAM, shard=shard)
            except BaseException:
                self._delist(run_id, feed)
                raise
            task = self._tasks.get(shard)
            if task is None or task.done():  # another subscriber may have started it meanwhile
                self._after[shard] = after
                self._tasks[shard] = asyncio.create_task(self._listen(shard), name="taskflow-events", context=Context())
        return feed

    def _delist(self, run_id: str, feed: "asyncio.Queue[Event]") -> None:
        feeds = self._feeds[run_id]
        feeds.remove(feed)
        if not feeds:
            del self._feeds[run_id]

    async def _listen(self, shard: int) -> None:
        while self._feeds:
            try:
                entries = await self._store.read_stream(_STREAM, self._after[shard], shard=shard, block_ms=_BLOCK_MS)
            except StoreUnavailableError:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            for event in _events(entries):
                for feed in self._feeds.get(event.run_id, ()):
                    feed.put_nowait(event)
            if entries:
                self._after[shard] = entries[-1][0].decode()


def _events(entries: Iterable[tuple[bytes, list[bytes]]]) -> Generator[Event]:
    for entry_id, flat in entries:
        fields = pairs(flat)
        position = _position(entry_id.decode())
        yield Event(position, fields["run"].decode(), fields["kind"].decode(), fields["value"].decode())


def _position(entry_id: str) -> tuple[int, int]:
    instant, _, number = entry_id.partition("-")
    return int(instant), int(number or 0)


def _as_of(record: Run, status: RunStatus) -> Run:
    if status.is_finished:
        return replace(record, status=status)
    return replace(record, status=status, output=None, error=None, finished_at=None)
