"""Follow a capped stream of runs: one listener a process (and one an event loop) on each shard, while anybody follows.

A follower gets every entry about its run that is written after it began to follow, also after a lost connection. The
scripts trim the stream, so a listener that was away for long may miss entries: followers look at the run's record after
they began to follow, and again every ``LOOK_AGAIN_SECONDS``. One blocked connection serves all of them.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Final

from taskflow.errors import StoreUnavailableError
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.encoding import pairs
from taskflow.store.sync_store import Store

LOOK_AGAIN_SECONDS: Final = 5.0
EVERY_RUN: Final = ""
"""Followed in place of a run's id: the entries of all runs."""
_BLOCK_MS: Final = 2000
_PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One entry of a stream. Its fields contain ``run``."""

    id: str
    fields: dict[str, bytes]


Deliver = Callable[[StreamEntry], object]
"""Takes an entry about a run. Must neither block nor raise."""


class _Followers:
    """The registered followers, and how far each shard's listener has read."""

    def __init__(self, shards: int) -> None:
        self.is_closed = False
        self._shards = shards
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._delivers: dict[str, list[Deliver]] = {}
        self._read_up_to = ["0"] * self._shards

    @contextmanager
    def following(self, run_id: str, deliver: Deliver) -> Generator[None]:
        """Register a follower of a run. Call ``listen`` inside: registered first, it keeps the listener alive.

        A forked child begins anew, because it has its parent's followers but none of the threads that serve them.
        """
        if self._pid != os.getpid():
            self._begin()
        with self._lock:
            self._delivers.setdefault(run_id, []).append(deliver)
        try:
            yield
        finally:
            with self._lock:
                self._remove(run_id, deliver)

    def read_up_to(self, shard: int) -> str:
        """Return the id of the newest entry that was delivered."""
        return self._read_up_to[shard]

    def close(self) -> None:
        """End the listeners. Nothing is delivered any more."""
        with self._lock:
            self.is_closed = True
            self._delivers.clear()

    def _remove(self, run_id: str, deliver: Deliver) -> None:
        delivers = self._delivers.get(run_id, [])
        if deliver in delivers:  # not after ``close``
            delivers.remove(deliver)
        if not delivers:
            self._delivers.pop(run_id, None)

    def _deliver(self, shard: int, entries: Sequence[tuple[bytes, list[bytes]]]) -> None:
        with self._lock:
            for entry_id, flat in entries:
                entry = StreamEntry(entry_id.decode(), pairs(flat))
                for followed in (entry.fields["run"].decode(), EVERY_RUN):
                    for deliver in self._delivers.get(followed, ()):
                        deliver(entry)
                self._read_up_to[shard] = entry.id


class StreamFollower(_Followers):
    """Follows one stream of every shard for threads. Its own threads live while anybody follows.

    Args:
        stream: The stream's name, one of ``keys``.
        name: Name of its threads.
    """

    def __init__(self, store: Store, stream: str, name: str) -> None:
        super().__init__(store.config.shards)
        self._store, self._stream, self._name = store, stream, name

    def _begin(self) -> None:
        super()._begin()
        self._is_listening = [False] * self._shards

    def listen(self, shards: Sequence[int]) -> None:
        """Deliver what is written on these shards from now on, in a thread of each.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        with self._lock:
            for shard in shards:
                if not self._is_listening[shard]:
                    self._read_up_to[shard] = self._store.last_stream_id(self._stream, shard=shard)
                    self._is_listening[shard] = True
                    threading.Thread(target=self._listen, args=(shard,), name=self._name, daemon=True).start()

    def _listen(self, shard: int) -> None:
        while self._goes_on(shard):
            try:
                after = self._read_up_to[shard]
                entries = self._store.read_stream(self._stream, after, shard=shard, block_ms=_BLOCK_MS)
            except StoreUnavailableError:
                time.sleep(_PAUSE_SECONDS)
                continue
            self._deliver(shard, entries)

    def _goes_on(self, shard: int) -> bool:
        with self._lock:
            self._is_listening[shard] = not self.is_closed and bool(self._delivers)
            return self._is_listening[shard]


class AsyncStreamFollower(_Followers):
    """Follows one stream of every shard for the coroutines of one event loop. See ``StreamFollower``."""

    def __init__(self, store: AsyncStore, stream: str, name: str) -> None:
        super().__init__(store.config.shards)
        self._store, self._stream, self._name = store, stream, name
        self._listeners: dict[int, asyncio.Task[None]] = {}

    async def listen(self, shards: Sequence[int]) -> None:
        """Deliver what is written on these shards from now on, in a task of each.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        for shard in shards:
            if self._is_listening(shard):
                continue
            newest = await self._store.last_stream_id(self._stream, shard=shard)
            if not self._is_listening(shard):  # another follower may have started it meanwhile
                self._read_up_to[shard] = newest
                self._listeners[shard] = asyncio.create_task(self._listen(shard), name=self._name, context=Context())

    def _is_listening(self, shard: int) -> bool:
        listener = self._listeners.get(shard)
        return listener is not None and not listener.done()

    async def _listen(self, shard: int) -> None:
        while self._delivers:
            try:
                after = self._read_up_to[shard]
                entries = await self._store.read_stream(self._stream, after, shard=shard, block_ms=_BLOCK_MS)
            except StoreUnavailableError:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._deliver(shard, entries)


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when an event is set, or after some seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
