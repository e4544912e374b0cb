"""Wait for runs to finish: one listener a process (and one an event loop) on each shard's stream of finished runs.

Never one blocked connection a waiter, never a poll loop: a waiter looks once after it is listed, and again every
5 seconds in case the capped stream went past it.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Generator
from contextvars import Context
from datetime import timedelta
from typing import Final

from taskflow.errors import ResultTimeoutError, StoreUnavailableError
from taskflow.models import RunError, RunStatus
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.encoding import pairs
from taskflow.store.sync_store import Store

LOOK_AGAIN_SECONDS: Final = 5.0
_BLOCK_MS: Final = 2000
Result = tuple[RunStatus, bytes | None, RunError | None]


class ResultListener:
    """Wakes the threads that wait for a run. Its thread lives while somebody waits."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: dict[str, list[threading.Event]] = {}
        self._listening: list[bool] = [False] * store.config.shards
        self._is_closed = False

    def close(self) -> None:
        """End the threads. Nobody may wait any more."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()

    @contextlib.contextmanager
    def watching(self, run_id: str) -> Generator[threading.Event]:
        """Hold an event that is set whenever an id's end is heard of, also one that is no run yet."""
        finished = threading.Event()
        self._enlist(run_id, finished)
        try:
            yield finished
        finally:
            self._delist(run_id, finished)

    def wait(self, run_id: str, timeout: timedelta | None) -> Result:
        """Return a run's end.

        Raises:
            RunNotFoundError: No such run.
            ResultTimeoutError: Not finished in time.
            StoreUnavailableError: The store did not answer.
        """
        deadline = None if timeout is None else time.monotonic() + timeout.total_seconds()
        finished = threading.Event()
        found = self._look(run_id)
        if found[0].is_finished:
            return found
        self._enlist(run_id, finished)
        try:
            while True:
                found = self._look(run_id)
                if found[0].is_finished:
                    return found
                left = LOOK_AGAIN_SECONDS if deadline is None else deadline - time.monotonic()
                if left <= 0 and timeout is not None:
                    raise ResultTimeoutError(run_id, timeout, found[0])
                finished.wait(min(left, LOOK_AGAIN_SECONDS))
        finally:
            self._delist(run_id, finished)

    def _look(self, run_id: str) -> Result:
        return self._store.run_for(run_id, operations.runs.read_result(run_id))

    def _enlist(self, run_id: str, finished: threading.Event) -> None:
        with self._lock:
            self._waiting.setdefault(run_id, []).append(finished)
            for shard, is_listening in enumerate(self._listening):
                if not is_listening:
                    self._listening[shard] = True
                    after = self._store.last_stream_id("finishes", shard=shard)
                    threading.Thread(
                        target=self._listen, args=(shard, after), name="taskflow-results", daemon=True
                    ).start()

    def _delist(self, run_id: str, finished: threading.Event) -> None:
        with self._lock:
            waiters = self._waiting.get(run_id, [])
            if finished in waiters:
                waiters.remove(finished)
            if not waiters:
                self._waiting.pop(run_id, None)

    def _listen(self, shard: int, after: str) -> None:
        while True:
            with self._lock:
                if self._is_closed or not self._waiting:
                    self._listening[shard] = False
                    return
            try:
                entries = self._store.read_stream("finishes", after, shard=shard, block_ms=_BLOCK_MS)
            except StoreUnavailableError:
                time.sleep(0.2)
                continue
            for entry_id, fields in entries:
                after = entry_id.decode()
                self._wake(pairs(fields)["run"].decode())

    def _wake(self, run_id: str) -> None:
        with self._lock:
            for finished in self._waiting.get(run_id, []):
                finished.set()


class AsyncResultListener:
    """The same for the coroutines of one event loop."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._waiting: dict[str, list[asyncio.Event]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def wait(self, run_id: str, timeout: timedelta | None) -> Result:
        """Return a run's end.

        Raises:
            RunNotFoundError: No such run.
            ResultTimeoutError: Not finished in time.
            StoreUnavailableError: The store did not answer.
        """
        clock: Callable[[], float] = asyncio.get_running_loop().time
        deadline = None if timeout is None else clock() + timeout.total_seconds()
        found = await self._look(run_id)
        if found[0].is_finished:
            return found
        finished = asyncio.Event()
        await self._enlist(run_id, finished)
        try:
            while True:
                found = await self._look(run_id)
                if found[0].is_finished:
                    return found
                left = LOOK_AGAIN_SECONDS if deadline is None else deadline - clock()
                if left <= 0 and timeout is not None:
                    raise ResultTimeoutError(run_id, timeout, found[0])
                await _wait_for(finished, min(left, LOOK_AGAIN_SECONDS))
        finally:
            self._delist(run_id, finished)

    async def _look(self, run_id: str) -> Result:
        return await self._store.run_for(run_id, operations.runs.read_result(run_id))

    async def _enlist(self, run_id: str, finished: asyncio.Event) -> None:
        self._waiting.setdefault(run_id, []).append(finished)
        for shard in range(self._store.config.shards):
            task = self._tasks.get(shard)
            if task is None or task.done():
                after = await self._store.last_stream_id("finishes", shard=shard)
                self._tasks[shard] = asyncio.create_task(
                    self._listen(shard, after), name="taskflow-results", context=Context()
                )

    def _delist(self, run_id: str, finished: asyncio.Event) -> None:
        waiters = self._waiting.get(run_id, [])
        if finished in waiters:
            waiters.remove(finished)
        if not waiters:
            self._waiting.pop(run_id, None)

    async def _listen(self, shard: int, after: str) -> None:
        while self._waiting:
            try:
                entries = await self._store.read_stream("finishes", after, shard=shard, block_ms=_BLOCK_MS)
            except StoreUnavailableError:
                await asyncio.sleep(0.2)
                continue
            for entry_id, fields in entries:
                after = entry_id.decode()
                for finished in self._waiting.get(pairs(fields)["run"].decode(), []):
                    finished.set()


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
