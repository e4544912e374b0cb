"""The engine behind the streams of runs: append items, read them, and follow the stream."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from datetime import timedelta
from typing import Final

from taskflow.definition.documents.stream_items import LAST_INDEX
from taskflow.engine.loops import Loop
from taskflow.engine.stream_sender import QueuedWriter, StreamSender
from taskflow.errors import StoreUnavailableError, StreamTimeoutError
from taskflow.seams.streams import StreamAddress
from taskflow.seams.waits import Waiter
from taskflow.store.followers import LOOK_AGAIN_SECONDS, wait_for
from taskflow.store.notices import Notices
from taskflow.store.operations.streams import StreamLimits, StreamPart, append_items, ask_item, read_items
from taskflow.store.sync_store import Store

_PAUSE_SECONDS: Final = 0.2


class StreamEngine:
    """Appends to streams, reads and follows them."""

    def __init__(self, store: Store, loop: Callable[[], Loop], limits: StreamLimits, notices: Notices) -> None:
        self._store = store
        self._loop = loop
        self._limits = limits
        self._sender = StreamSender(store, limits)
        self._notices = notices
        self._is_closed = False

    def append(self, address: StreamAddress, documents: Sequence[bytes], *, closing: bool = False) -> int:
        """Append items at once and return how many there are now."""
        appended = append_items(address, documents, self._limits, closing=closing)
        return self._store.run_for(address.run_id, appended)

    async def aappend(self, address: StreamAddress, documents: Sequence[bytes], *, closing: bool = False) -> int:
        """Append items at once and return how many there are now."""
        appended = append_items(address, documents, self._limits, closing=closing)
        return await self._loop().store.run_for(address.run_id, appended)

    async def acount(self, address: StreamAddress) -> int:
        """Return how many items a stream has.

        Raises:
            RunNotFoundError: No such run.
        """
        return (await self._loop().store.run_for(address.run_id, read_items(address, LAST_INDEX))).count

    def ask(self, address: StreamAddress, index: int, waiter: Waiter) -> None:
        """Let an item of a run's input stream complete a wait of the run."""
        self._store.run_for(address.run_id, ask_item(address, index, waiter))

    async def aask(self, address: StreamAddress, index: int, waiter: Waiter) -> None:
        """Let an item of a run's input stream complete a wait of the run."""
        await self._loop().store.run_for(address.run_id, ask_item(address, index, waiter))

    def writer(self, address: StreamAddress, claim: Callable[[], int] | None = None) -> QueuedWriter:
        """Return a writer that appends many items in the background."""
        return QueuedWriter(address, claim, self._sender)

    def read(
        self, address: StreamAddress, start: int, *, timeout: timedelta | None = None, follow: bool = True
    ) -> Generator[bytes]:
        """Yield items from an index on; with ``follow`` also later ones, until the run has ended.

        Raises:
            RunNotFoundError: No such run.
            StreamTimeoutError: No item came in time.
            StoreUnavailableError: The store did not answer the first read. Later reads wait for it.
        """
        part = self._store.run_for(address.run_id, read_items(address, start))
        reading = _Reading(address, start, timeout)
        yield from reading.items(part)
        if part.is_last or not (follow or part.items):
            return
        with self._notices.listening(part.channel) as news:
            while not self._is_closed:
                news.clear()
                further = self._look(reading)
                if further is not None and reading.went_back(further):
                    continue
                if further is not None:
                    yield from reading.items(further)
                    if further.is_last or not (follow or further.items):
                        return
                    if further.items:
                        continue
                news.wait(reading.patience())

    async def aread(
        self, address: StreamAddress, start: int, *, timeout: timedelta | None = None, follow: bool = True
    ) -> AsyncGenerator[bytes]:
        """Yield items from an index on. See ``read``."""
        loop = self._loop()
        part = await loop.store.run_for(address.run_id, read_items(address, start))
        reading = _Reading(address, start, timeout)
        for item in reading.items(part):
            yield item
        if part.is_last or not (follow or part.items):
            return
        with loop.notices.listening(part.channel) as news:
            while True:
                news.clear()
                further = await self._alook(reading, loop)
                if further is not None and reading.went_back(further):
                    continue
                if further is not None:
                    for item in reading.items(further):
                        yield item
                    if further.is_last or not (follow or further.items):
                        return
                    if further.items:
                        continue
                await wait_for(news, reading.patience())

    def close(self) -> None:
        """End all reads, and the thread that listens for them."""
        self._is_closed = True
        self._notices.close()

    def _look(self, reading: "_Reading") -> StreamPart | None:
        try:
            return self._store.run_for(reading.address.run_id, read_items(reading.address, reading.index))
        except StoreUnavailableError:
            time.sleep(_PAUSE_SECONDS)
            return None

    async def _alook(self, reading: "_Reading", loop: Loop) -> StreamPart | None:
        try:
            return await loop.store.run_for(reading.address.run_id, read_items(reading.address, reading.index))
        except StoreUnavailableError:
            await asyncio.sleep(_PAUSE_SECONDS)
            return None


class _Reading:
    """The position of one reader. No I/O."""

    def __init__(self, address: StreamAddress, start: int, timeout: timedelta | None) -> None:
        self.address = address
        self.index = start
        self._start = start
        self._timeout = timeout
        self._newest = time.monotonic()

    def went_back(self, part: StreamPart) -> bool:
        """Whether the stream has lost items that were read: its store has lost its last second.

        The next items get the lost ones' indexes, so the reader goes on behind those that are left.
        """
        if part.count >= self.index or self.index == self._start:
            return False
        self.index = max(part.count, self._start)
        return True

    def items(self, part: StreamPart) -> Generator[bytes]:
        """Yield the items of a part. The time that the reader takes for them does not count as silence."""
        for item in part.items:
            self.index += 1
            yield item
        if part.items:
            self._newest = time.monotonic()

    def patience(self) -> float:
        """Return how many seconds to wait before looking again.

        Raises:
            StreamTimeoutError: No item came in time.
        """
        if self._timeout is None:
            return LOOK_AGAIN_SECONDS
        left = self._newest + self._timeout.total_seconds() - time.monotonic()
        if left <= 0:
            raise StreamTimeoutError(self.address.run_id, self.address.name, self.index, self._timeout)
        return min(left, LOOK_AGAIN_SECONDS)
