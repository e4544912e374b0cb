"""Wait for runs to finish, with neither one blocked connection per waiter nor a poll loop.

A waiter follows the stream of finished runs. It reads the run's record once it follows, and again every 5 seconds,
because the capped stream may have lost the entry. A wait that has begun outlasts a store that is away.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Generator
from datetime import timedelta
from typing import Final

from taskflow.errors import ResultTimeoutError, StoreUnavailableError
from taskflow.models import RunError, RunStatus
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.followers import (
    EVERY_RUN,
    LOOK_AGAIN_SECONDS,
    AsyncStreamFollower,
    StreamEntry,
    StreamFollower,
    wait_for,
)
from taskflow.store.keys import FINISHES
from taskflow.store.sync_store import Store

Result = tuple[RunStatus, bytes | None, RunError | None]
_NAME: Final = "taskflow-results"
_PAUSE_SECONDS: Final = 0.2


class ResultListener:
    """Wakes the threads that wait for a run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._follower = StreamFollower(store, FINISHES, _NAME)

    def close(self) -> None:
        """End the threads. Later waits are not woken."""
        self._follower.close()

    @contextlib.contextmanager
    def watching(self, run_id: str) -> Generator[threading.Event]:
        """Hold an event that is set whenever the end of an id is written, also of an id that is not yet a run's."""
        ended = threading.Event()
        with self._follower.following(run_id, lambda _: ended.set()):
            self._follower.listen(range(self._store.config.shards))
            yield ended

    def wait(self, run_id: str, timeout: timedelta | None) -> Result:
        """Wait for the end of a run and return its result.

        Raises:
            RunNotFoundError: No such run.
            ResultTimeoutError: The run has not ended in time.
            StoreUnavailableError: The store did not answer the first look. Later looks wait for it.
        """
        deadline = _Deadline(run_id, timeout)
        result = self._look(run_id)
        if result[0].is_finished:
            return result
        with self.watching(run_id) as ended:
            while not (result := self._look_again(run_id) or result)[0].is_finished:
                ended.wait(deadline.patience(result[0]))
        return result

    def _look_again(self, run_id: str) -> Result | None:
        try:
            return self._look(run_id)
        except StoreUnavailableError:
            if self._follower.is_closed:
                raise
            time.sleep(_PAUSE_SECONDS)
            return None

    def _look(self, run_id: str) -> Result:
        return self._store.run_for(run_id, operations.runs.read_result(run_id))


class AsyncResultListener:
    """Wakes the coroutines of one event loop that wait for a run."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._follower = AsyncStreamFollower(store, FINISHES, _NAME)

    async def wait(self, run_id: str, timeout: timedelta | None) -> Result:
        """Wait for the end of a run and return its result. See ``ResultListener.wait``."""
        deadline = _Deadline(run_id, timeout)
        result = await self._look(run_id)
        if result[0].is_finished:
            return result
        ended = asyncio.Event()
        with self._follower.following(run_id, lambda _: ended.set()):
            await self._follower.listen(range(self._store.config.shards))
            while not (result := await self._look_again(run_id) or result)[0].is_finished:
                await wait_for(ended, deadline.patience(result[0]))
        return result

    @contextlib.asynccontextmanager
    async def ends(self) -> AsyncGenerator[tuple[list[str], asyncio.Event]]:
        """Gather the ids of all runs that end from now on in a list. The event is set whenever there are some."""
        ended: list[str] = []
        news = asyncio.Event()

        def deliver(entry: StreamEntry) -> None:
            ended.append(entry.fields["run"].decode())
            news.set()

        with self._follower.following(EVERY_RUN, deliver):
            await self._follower.listen(range(self._store.config.shards))
            yield ended, news

    async def _look_again(self, run_id: str) -> Result | None:
        try:
            return await self._look(run_id)
        except StoreUnavailableError:
            await asyncio.sleep(_PAUSE_SECONDS)
            return None

    async def _look(self, run_id: str) -> Result:
        return await self._store.run_for(run_id, operations.runs.read_result(run_id))


class _Deadline:
    """The end of one wait. No I/O."""

    def __init__(self, run_id: str, timeout: timedelta | None) -> None:
        self._run_id, self._timeout = run_id, timeout
        self._end = None if timeout is None else time.monotonic() + timeout.total_seconds()

    def patience(self, status: RunStatus) -> float:
        """Return how many seconds to wait before looking again.

        Raises:
            ResultTimeoutError: The time has passed.
        """
        if self._end is None or self._timeout is None:
            return LOOK_AGAIN_SECONDS
        left = self._end - time.monotonic()
        if left <= 0:
            raise ResultTimeoutError(self._run_id, self._timeout, status)
        return min(left, LOOK_AGAIN_SECONDS)
