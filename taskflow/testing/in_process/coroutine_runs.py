"""The coroutines of runs in the tests' own process: the executor of a node, in a loop of its own on one thread."""

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable
from typing import Final

from taskflow.execution.outcome import Outcome, Retried
from taskflow.store.pipeline import Pipeline
from taskflow.testing.in_process.watched_loop import WatchedLoop
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.coroutines.attempts import AsyncAttempts
from taskflow.worker.coroutines.run_slots import RunSlots
from taskflow.worker.coroutines.running import RunningCoroutines
from taskflow.worker.coroutines.taken_ticket import TakenTicket

log = logging.getLogger("taskflow.testing")
THREAD: Final = "taskflow-testing-loop"
_END_SECONDS: Final = 5.0


class CoroutineRuns:
    """Executes tickets of ``async def`` tasks.

    Attributes:
        will_retry: Whether a run has failed since this was reset, and another attempt follows.
    """

    def __init__(self, runtime: Runtime, on_news: Callable[[], None]) -> None:
        self._runtime, self._on_news = runtime, on_news
        self.will_retry = False
        self._alive = 0
        self._lock = threading.Lock()
        self._loop: WatchedLoop | None = None
        self._slots = RunSlots(on_news)
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def alive(self) -> int:
        """The number of runs whose coroutines have not ended."""
        return self._alive

    @property
    def busy(self) -> int:
        """The number of those that do more than wait."""
        return self._slots.busy

    @property
    def is_at_rest(self) -> bool:
        """Whether the loop has nothing to do. A run that only waits may be about to be unloaded."""
        return self._loop is None or self._loop.is_at_rest

    @property
    def waited_s(self) -> float:
        """The seconds for which the loop has waited for something outside of the test's runs."""
        return 0.0 if self._loop is None else self._loop.waited_s

    def take(self, ticket: TakenTicket) -> None:
        """Execute a ticket's run."""
        with self._lock:
            self._alive += 1
        self._slots.take()
        if self._loop is None:
            self._start()
        assert self._loop is not None
        context = contextvars.Context()  # a worker's code has nothing of its caller's, as asgiref's thread
        self._loop.call_soon_threadsafe(self._begin, ticket, context=context)

    def notify(self, run_id: str) -> None:
        """Have a run that waits look whether it may go on."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._running.notify, run_id)

    def cancel(self, run_id: str, claim: int, reason: str) -> bool:
        """Stop a run's coroutine. Return False if none executes under this claim."""
        return self._loop is not None and self._running.cancel(run_id, claim, reason)

    def close(self) -> None:
        """Drop what executes, and end the thread."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._running.is_leaving = True
        loop.call_soon_threadsafe(self._running.cancel_all)
        if not self._slots.wait_idle(_END_SECONDS):
            log.warning("inline.left: %d coroutines did not stop at the end of their test", self.busy)
        loop.call_soon_threadsafe(loop.leave)
        thread.join(_END_SECONDS)
        self._loop = None

    def on_start(self, ticket: TakenTicket) -> None:
        """Do nothing."""

    def on_end(self, ticket: TakenTicket, outcome: Outcome, seconds: float) -> None:
        """Note that another attempt follows."""
        self.will_retry = self.will_retry or isinstance(outcome, Retried)

    def on_drop(self, ticket: TakenTicket, *, is_canceled: bool = False) -> None:
        """Do nothing."""

    def on_broken(self, ticket: TakenTicket, error: Exception) -> None:
        """Do nothing: it was logged."""

    def on_leave(self, ticket: TakenTicket) -> None:
        """Count a run that has ended."""
        with self._lock:
            self._alive -= 1

    def _start(self) -> None:
        self._loop = WatchedLoop()
        self._running = RunningCoroutines(self._loop, self._slots, self._runtime.settings.cancel_grace)
        self._running.on_stuck = lambda run: log.error("inline.stuck: %s does not stop", run.run_id)
        self._thread = threading.Thread(target=self._serve, args=(self._loop,), name=THREAD, daemon=True)
        self._thread.start()

    def _serve(self, loop: WatchedLoop) -> None:
        asyncio.set_event_loop(loop)
        store = self._runtime.make_async_store()
        self._attempts = AsyncAttempts(self._runtime, self, self._running, Pipeline(store))
        loop.serve(lambda live, error: self._running.fail(live.identity.run_id, error))
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(store.close())
        with contextlib.suppress(RuntimeError):
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def _begin(self, ticket: TakenTicket) -> None:
        assert self._loop is not None
        task = self._loop.create_task(self._run(ticket))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, ticket: TakenTicket) -> None:
        try:
            await self._attempts.run(ticket)
        finally:
            self._slots.leave(ticket)
            self._on_news()
