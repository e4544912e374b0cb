"""The asyncio executor: one event loop in a thread of the node, up to thousands of runs as coroutines."""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import cast

from taskflow.store.pipeline import Pipeline
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.coroutines.attempts import AsyncAttempts
from taskflow.worker.coroutines.node_loop import NodeLoop
from taskflow.worker.coroutines.run_slots import RunSlots
from taskflow.worker.coroutines.running import RunningCoroutines
from taskflow.worker.coroutines.stuck import STUCK_EXIT, StuckExit
from taskflow.worker.coroutines.taken_ticket import RunObserver, TakenTicket

log = logging.getLogger("taskflow.node")


class AsyncRuns:
    """Starts runs as their tickets come and stops them, from the node's other threads.

    Args:
        on_free: Called in the loop's thread when another run may start.
    """

    def __init__(self, runtime: Runtime, observer: RunObserver, on_free: Callable[[], None]) -> None:
        self._runtime = runtime
        self._observer = observer
        self._taken: list[TakenTicket] = []
        self._lock = threading.Lock()
        self.loop = NodeLoop()
        self._run_slots = RunSlots(on_free)
        self._grace = runtime.settings.cancel_grace
        self._running = RunningCoroutines(self.loop, self._run_slots, self._grace)
        self.stuck = StuckExit(runtime, self._running, self._grace)
        self._running.on_stuck = self.stuck.leave_because_of
        self._is_stopping = False
        self._thread = threading.Thread(target=self._serve, name="taskflow-loop", daemon=True)
        self._alive: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> int:
        """The number of taken tickets whose runs have not ended."""
        return self._run_slots.busy

    @property
    def thread_id(self) -> int | None:
        """The loop's thread, whose stack shows what blocks it."""
        return self._thread.ident

    def start(self) -> None:
        """Start the loop."""
        self._thread.start()

    def take(self, ticket: TakenTicket) -> None:
        """Start a run soon. Called on the hub's thread."""
        self._run_slots.take()
        with self._lock:
            self._taken.append(ticket)
            if len(self._taken) > 1:
                return  # the loop is about to begin them all
        self.loop.call_soon_threadsafe(self._begin)

    def cancel(self, run_id: str, claim: int, reason: str) -> bool:
        """Stop a run's coroutine, if it still executes under this claim. From any thread.

        Args:
            reason: The reason in its signal, ``"canceled"`` or ``"timed out"``.
        """
        return self._running.cancel(run_id, claim, reason)

    def notify(self, run_id: str) -> None:
        """Have a run that waits here look whether it may go on or one of its waits is done. From any thread."""
        self._call_soon(self._running.notify, run_id)

    def suspend_waiting(self) -> None:
        """Unload the durable runs that only wait, now and from now on: the node is about to stop. From any thread."""
        asyncio.run_coroutine_threadsafe(self._running.suspend_waiting(), self.loop).result()

    def cancel_all(self) -> None:
        """Stop every coroutine, because the claims have ended. From any thread; ``wait_idle`` waits until they have."""
        self._running.note_ask()
        self._call_soon(self._running.cancel_all)

    def exit_if_deaf(self) -> None:
        """End the node if its loop is blocked and has not acted on a stop within ``cancel_grace``."""
        if self._running.seconds_unanswered() > self._grace.total_seconds():
            self.stuck.exit("the event loop is blocked and does not act on a stop")

    def interrupt_all(self, grace: timedelta) -> None:
        """Stop every coroutine, also one whose claim is on its way: the node leaves. In a thread that may wait.

        A coroutine that does not stop within the grace ends the node.
        """
        self._running.is_leaving = True
        self.cancel_all()
        if not self.wait_idle(grace.total_seconds()):
            self.stuck.exit(f"{self.busy} runs did not stop in time")

    def wait_idle(self, seconds: float | None = None) -> bool:
        """Wait until no ticket is taken and no run executes."""
        return self._run_slots.wait_idle(seconds)

    def stop(self) -> None:
        """End the loop. Stop what executes before, because it is dropped."""
        self._is_stopping = True
        self.loop.call_soon_threadsafe(self.loop.leave)
        self._thread.join(5)

    def _call_soon(self, act: Callable[..., object], *args: object) -> None:
        """Call in the loop, unless it is closed: the lease outlives the loop, and no coroutine is left then."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(act, *args)

    def _serve(self) -> None:
        try:
            asyncio.set_event_loop(self.loop)
            store = self._runtime.make_async_store()
            self._attempts = AsyncAttempts(self._runtime, self._observer, self._running, Pipeline(store))
            self.loop.serve(lambda live, error: self._running.fail(live.identity.run_id, error))
            self.loop.run_until_complete(store.close())
            self.loop.close()
        except BaseException:
            log.critical("loop.ended:", exc_info=True)
            raise
        finally:
            if not self._is_stopping:  # nothing would execute here, while the lease goes on
                os._exit(STUCK_EXIT)

    def _begin(self) -> None:
        with self._lock:
            taken, self._taken = self._taken, []
        for ticket in taken:
            task = self.loop.create_task(self._run(ticket))
            self._alive.add(task)

    async def _run(self, ticket: TakenTicket) -> None:
        try:
            await self._attempts.run(ticket)
        finally:
            self._run_slots.leave(ticket)
            self._alive.discard(cast("asyncio.Task[None]", asyncio.current_task()))
