"""Write the items of streams in the background: one thread a process, one write under way at a time.

Without load an item leaves at once. Under load the items that gather during a write share the next one. So one item
leaves within a fraction of a millisecond, and ten thousand of them take a few dozen round trips.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from taskflow.errors import StaleClaimError, StoreUnavailableError, TaskflowError
from taskflow.seams.streams import StreamAddress
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.streams import StreamLimits, append_items
from taskflow.store.sync_store import Store
from taskflow.store.wire import locate

log = logging.getLogger("taskflow.run")
MOST_GATHERED: Final = 1000
MOST_BYTES: Final = 1_000_000
"""Most items and bytes of one stream that gather before the caller has to wait, and that one write takes."""
_STREAMS_A_WRITE: Final = 100
_PAUSE_SECONDS: Final = 0.2


class QueuedWriter:
    """Implements ``seams.streams.StreamWriter``. The sender owns its fields, under the sender's lock."""

    def __init__(self, address: StreamAddress, claim: Callable[[], int] | None, sender: "StreamSender") -> None:
        self.address = address
        self.claim = claim
        self.gathered: deque[bytes] = deque()
        self.size = 0
        self.is_queued = False
        self.refusal: Exception | None = None
        self.on_clean: list[Callable[[], None]] = []
        self._is_refusal_raised = False
        self._sender = sender

    @property
    def is_dirty(self) -> bool:
        """Whether an item is not yet written, or was refused and the refusal was not raised."""
        return self.is_queued or (self.refusal is not None and not self._is_refusal_raised)

    def put(self, document: bytes) -> bool:
        """Write an item soon. Returns whether so much has gathered that the caller must ``flush``."""
        self._raise_refusal()
        self._sender.put(self, document)
        return self.size > MOST_BYTES or len(self.gathered) > MOST_GATHERED

    def flush(self) -> None:
        """Return once everything is written, however long the store is unavailable."""
        written = threading.Event()
        if self._sender.when_clean(self, written.set):
            written.wait()
        self._raise_refusal()

    async def aflush(self) -> None:
        """Return once everything is written, however long the store is unavailable."""
        loop = asyncio.get_running_loop()
        written = asyncio.Event()

        def notify() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(written.set)

        if self._sender.when_clean(self, notify):
            await written.wait()
        self._raise_refusal()

    def take(self) -> list[bytes]:
        """Take the items that one write carries, under the current claim, because a wait changes the run's claim."""
        if self.claim is not None:
            self.address = self.address._replace(claim=self.claim())
        taken: list[bytes] = []
        size = 0
        while self.gathered and len(taken) < MOST_GATHERED:
            if taken and size + len(self.gathered[0]) > MOST_BYTES:
                break
            taken.append(self.gathered.popleft())
            size += len(taken[-1])
        self.size -= size
        return taken

    def put_back(self, documents: Sequence[bytes]) -> None:
        """Put items that were not written in front of those that have gathered since."""
        self.gathered.extendleft(reversed(documents))
        self.size += sum(map(len, documents))

    def has_newer_claim_than(self, claim: int) -> bool:
        """Whether the run's code has read a newer claim since, so that a write under the old one was only late."""
        return self.claim is not None and self.claim() > claim

    def _raise_refusal(self) -> None:
        if self.refusal is not None:
            self._is_refusal_raised = True
            raise self.refusal


class StreamSender:
    """The sending thread. A forked child begins without its parent's items and starts a thread of its own."""

    def __init__(self, store: Store, limits: StreamLimits) -> None:
        self._store, self._limits = store, limits
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._queue: deque[QueuedWriter] = deque()
        self._changed = threading.Condition(threading.RLock())  # a signal handler may append
        self._thread: threading.Thread | None = None

    def put(self, writer: QueuedWriter, document: bytes) -> None:
        """Write an item soon, after earlier items of its writer."""
        if self._pid != os.getpid():
            self._begin()
        with self._changed:
            writer.gathered.append(document)
            writer.size += len(document)
            if writer.is_queued:
                return
            writer.is_queued = True
            self._queue.append(writer)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="taskflow-streams", daemon=True)
                self._thread.start()

    def when_clean(self, writer: QueuedWriter, notify: Callable[[], None]) -> bool:
        """Call ``notify`` once all items of a writer are written or refused. Returns False when they already are."""
        with self._changed:
            if writer.is_queued:
                writer.on_clean.append(notify)
            return writer.is_queued

    def _serve(self) -> None:
        while True:
            with self._changed:
                writers = self._next()
                taken = [writer.take() for writer in writers]
                appends = [
                    append_items(writer.address, documents, self._limits)
                    for writer, documents in zip(writers, taken, strict=True)
                ]
            results = self._write(writers, appends)
            with self._changed:
                for writer, documents, result in zip(writers, taken, results, strict=True):
                    self._written(writer, documents, result)

    def _next(self) -> list[QueuedWriter]:
        while not self._queue:
            self._changed.wait()
        return [self._queue.popleft() for _ in range(min(len(self._queue), _STREAMS_A_WRITE))]

    def _written(self, writer: QueuedWriter, documents: Sequence[bytes], result: object) -> None:
        if isinstance(result, StaleClaimError) and writer.has_newer_claim_than(result.claim):
            writer.put_back(documents)
        elif isinstance(result, Exception):
            writer.refusal = result
            writer.gathered.clear()
            writer.size = 0
        if writer.gathered:
            self._queue.append(writer)
            return
        writer.is_queued = False
        notifies, writer.on_clean = writer.on_clean, []
        for notify in notifies:
            notify()

    def _write(self, writers: Sequence[QueuedWriter], appends: Sequence[Operation[int]]) -> list[Any]:
        """Write until the store answers. Each append is safe to repeat."""
        results: dict[int, Any] = {}
        shards = [locate(writer.address.run_id, self._store.config.shards) for writer in writers]
        named = [index for index, candidates in enumerate(shards) if len(candidates) == 1]
        while len(results) < len(writers):
            try:
                written = self._store.run_many([(appends[index], shards[index][0]) for index in named])
                results |= dict(zip(named, written, strict=True))
                for index in range(len(writers)):
                    if index not in results:
                        results[index] = self._write_one(writers[index].address.run_id, appends[index])
            except StoreUnavailableError as error:
                log.warning("store.unavailable: %s", error)
                time.sleep(_PAUSE_SECONDS)
            except Exception as broken:
                log.exception("stream.broken")
                return [results.get(index, broken) for index in range(len(writers))]
        return [results[index] for index in range(len(writers))]

    def _write_one(self, run_id: str, append: Operation[int]) -> object:
        """Append to the stream of an adopted run, which may be on any shard."""
        try:
            return self._store.run_for(run_id, append)
        except StoreUnavailableError:
            raise
        except TaskflowError as refused:
            return refused
