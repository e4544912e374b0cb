"""The feed of changes: one reader of each shard's events, for all that follow runs in one event loop.

A reader of the feed keeps a position. It asks which runs have changed behind it, and waits for the next change. After a
lost connection the feed goes on behind the last event that it has read, so that nobody misses a change: events are kept
by the store, and a reader whose position is older than what the feed remembers gets None and starts over.
"""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import Context
from typing import Final, TypeAlias

from taskflow.engine.feeds.facts import FactCache
from taskflow.engine.feeds.recent import MOST_EVENTS, RecentEvents
from taskflow.engine.feeds.records import RecordReader
from taskflow.errors import StoreUnavailableError
from taskflow.models import Run
from taskflow.store.async_store import AsyncStore
from taskflow.store.events import Event, entry_id, event_of, position
from taskflow.store.keys import EVENTS
from taskflow.store.operations.batches import watch_run
from taskflow.store.operations.encoding import pairs

Positions: TypeAlias = tuple[int, ...]
"""A position of each shard."""

_BLOCK_MS: Final = 2000
_PAUSE_SECONDS: Final = 0.2
_IDLE_SECONDS: Final = 60.0
"""Time for which the feed goes on without readers, because one that polls comes back."""
_PART: Final = 1000
_TURN_SECONDS: Final = 0.01
_MOST_TURNS: Final = 200
_MOST_PARTS_BACK: Final = MOST_EVENTS // _PART


class RunFeed:
    """Reads events while anybody follows. All methods belong to one event loop.

    Attributes:
        records: Reads the records of runs, several in one round trip.
        facts: The tags, batches and creations of runs.
        outages: How often the store was away. Its stream may have been trimmed meanwhile, so readers look at records.
    """

    def __init__(self, store: AsyncStore) -> None:
        self.records = RecordReader(store)
        self.facts = FactCache(self.records)
        self.outages = 0
        self._store = store
        self._recent: dict[int, RecentEvents] = {}
        self._listeners: dict[int, asyncio.Task[None]] = {}
        self._by_run: dict[str, list[asyncio.Event]] = {}
        self._of_all: list[asyncio.Event] = []
        self._last_use = 0.0
        self._going_back = asyncio.Lock()

    @property
    def shards(self) -> range:
        """The store's shards."""
        return range(self._store.config.shards)

    async def shard_of(self, run_id: str) -> int:
        """Return the shard of a run."""
        return await self._store.shard_of(run_id)

    async def listen(self, shards: Sequence[int]) -> None:
        """Read the events of shards from now on.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        self._last_use = asyncio.get_running_loop().time()
        for shard in shards:
            if self._is_listening(shard):
                continue
            newest = position(await self._store.last_stream_id(EVENTS, shard=shard))
            if not self._is_listening(shard):  # another reader may have started it meanwhile
                self._recent[shard] = RecentEvents(newest)
                self._listeners[shard] = asyncio.create_task(
                    self._listen(shard), name=f"taskflow-feed-{shard}", context=Context()
                )

    def position(self, shard: int) -> int:
        """Return the position up to which a shard was read. A record that is read afterwards shows all before it."""
        return self._recent[shard].newest

    def events(self, shard: int, run_id: str, after: int) -> list[Event] | None:
        """Return the events of a run behind a position, None when the feed does not remember as much."""
        recent = self._recent[shard]
        return recent.of(run_id, after) if after >= recent.floor else None

    def newest_events(self, shard: int, run_id: str, after: int) -> list[Event]:
        """Return those events of a run behind a position that the feed remembers."""
        return self._recent[shard].of(run_id, after)

    def changed(self, shard: int, after: int, run_id: str | None = None) -> set[str] | None:
        """Return the runs with events behind a position, of one or of all. None as in ``events``."""
        recent = self._recent[shard]
        if not recent.floor <= after <= recent.newest:  # later ones are of a store that was emptied since
            return None
        if run_id is not None:
            return {run_id} if recent.of(run_id, after) else set()
        return recent.changed(after)

    def changed_ms(self, run_id: str) -> int:
        """Return when the newest event of a run was written that the feed remembers, 0 without one."""
        return max((recent.newest_ms(run_id) for recent in self._recent.values()), default=0)

    async def look(self, shard: int, run_id: str) -> tuple[int, Run]:
        """Return a run's record and a position up to which it shows all events, once the feed has read these.

        Raises:
            RunNotFoundError: The store has no such run.
            StoreUnavailableError: The store did not answer.
        """
        newest, record = await self._store.run(watch_run(run_id), shard=shard)
        shown = position(newest)
        for _ in range(_MOST_TURNS):  # a store that was emptied may never come so far
            if self._recent[shard].newest >= shown:
                break
            await asyncio.sleep(_TURN_SECONDS)
        return shown, record

    @contextmanager
    def following(self, run_id: str | None) -> Generator[asyncio.Event]:
        """Hold an event that is set at each change of a run, or of any run. Clear it, look, then wait."""
        news = asyncio.Event()
        waiting = self._of_all if run_id is None else self._by_run.setdefault(run_id, [])
        waiting.append(news)
        try:
            yield news
        finally:
            self._last_use = asyncio.get_running_loop().time()
            waiting.remove(news)
            if run_id is not None and not waiting:
                self._by_run.pop(run_id, None)

    async def go_back(self, shard: int, after: int) -> bool:
        """Read older events, so that the feed remembers those behind a position. Returns False when they are too many.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        async with self._going_back:
            recent = self._recent[shard]
            if after >= recent.floor:
                return True
            older: list[Event] = []
            last = after
            for _ in range(_MOST_PARTS_BACK):
                part = await self._read(shard, last, None)
                older += [event for event in part if event.position <= recent.floor]
                if len(part) < _PART or part[-1].position > recent.floor:
                    recent.add_older(older, after)
                    return after >= recent.floor
                last = part[-1].position
            return False

    def close(self) -> None:
        """End the readers."""
        for listener in self._listeners.values():
            listener.cancel()

    def _is_listening(self, shard: int) -> bool:
        listener = self._listeners.get(shard)
        return listener is not None and not listener.done()

    async def _listen(self, shard: int) -> None:
        recent, is_away = self._recent[shard], False
        while self._is_wanted():
            try:
                events = await self._read(shard, recent.newest, None if is_away else _BLOCK_MS)
            except StoreUnavailableError:
                is_away = True
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            for event in events:
                recent.add(event)
                if event.kind == "tags":
                    self.facts.forget(event.run_id)
            self._wake({event.run_id for event in events})
            if is_away:
                is_away = False
                self._wake_all()

    def _is_wanted(self) -> bool:
        is_used = bool(self._by_run or self._of_all)
        return is_used or asyncio.get_running_loop().time() - self._last_use < _IDLE_SECONDS

    def _wake_all(self) -> None:
        self.outages += 1
        for waiting in (*self._by_run.values(), self._of_all):
            for news in waiting:
                news.set()

    def _wake(self, run_ids: set[str]) -> None:
        for run_id in run_ids:
            for news in self._by_run.get(run_id, ()):
                news.set()
        for news in self._of_all if run_ids else ():
            news.set()

    async def _read(self, shard: int, after: int, block_ms: int | None) -> list[Event]:
        entries = await self._store.read_stream(EVENTS, entry_id(after), shard=shard, block_ms=block_ms, count=_PART)
        return [event_of(name.decode(), pairs(flat)) for name, flat in entries]
