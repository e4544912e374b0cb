"""The asyncio executor: one event loop in a thread of the node, up to thousands of runs as coroutines."""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from datetime import timedelta

from taskflow.execution.waiting.coroutines import track_tasks
from taskflow.store.pipeline import Pipeline
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.coroutines.attempts import AsyncAttempts
from taskflow.worker.coroutines.run_slots import RunSlots
from taskflow.worker.coroutines.running import STUCK_EXIT, RunningCoroutines
from taskflow.worker.coroutines.taken_ticket import TakenTicket, Watcher

log = logging.getLogger("taskflow.node")


class AsyncRuns:
    """Starts runs as their tickets come and stops them, from the node's other threads.

    Args:
        on_free: Called in the loop's thread when another run may start.
    """

    def __init__(self, runtime: Runtime, watcher: Watcher, on_free: Callable[[], None]) -> None:
        self._runtime = runtime
        self._watcher = watcher
        self._taken: list[TakenTicket] = []
        self._lock = threading.Lock()
        self.loop = asyncio.new_event_loop()
        self._run_slots = RunSlots(on_free)
        self._held = RunningCoroutines(self.loop, self._run_slots, runtime.settings.cancel_grace)
        self._thread = threading.Thread(target=self._serve, name="taskflow-loop", daemon=True)
        self._alive: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> int:
        """How many tickets were taken and are not done with."""
        return self._run_slots.busy

    @property
    def thread_id(self) -> int | None:
        """The loop's thread, to show what blocks it."""
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
                return  # a turn that takes them all is on its way
        self.loop.call_soon_threadsafe(self._begin)

    def cancel(self, run_id: str, claim: int, reason: str) -> bool:
        """Stop a run's coroutine, if it still executes under this claim. From any thread.

        Args:
            reason: What its signal says, ``"canceled"`` or ``"timed out"``.
        """
        return self._held.cancel(run_id, claim, reason)

    def tell(self, run_id: str) -> None:
        """A run that waits here may go on, or one of its waits is done. From any thread."""
        self._call_soon(self._held.tell, run_id)

    def suspend_waiting(self) -> None:
        """Unload the durable runs that only wait, now and from now on: the node is about to stop. From any thread."""
        asyncio.run_coroutine_threadsafe(self._held.suspend_waiting(), self.loop).result()

    def cancel_all(self) -> None:
        """Stop every coroutine: their claims are over. From any thread; ``wait_idle`` tells when they have."""
        self._call_soon(self._held.cancel_all)

    def interrupt_all(self, grace: timedelta) -> None:
        """Stop every coroutine, and those whose claim is on its way: the node leaves. In a thread that may wait.

        One that does not stop within the grace ends the node with it.
        """
        self._held.is_leaving = True
        self.cancel_all()
        if not self.wait_idle(grace.total_seconds()):
            log.critical("node.leaving: %d runs did not stop in time; their node exits", self.busy)
            os._exit(STUCK_EXIT)

    def wait_idle(self, seconds: float | None = None) -> bool:
        """Wait until nothing is taken or executing."""
        return self._run_slots.wait_idle(seconds)

    def stop(self) -> None:
        """End the loop. What executes is dropped; stop it before."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)

    def _call_soon(self, act: Callable[..., object], *args: object) -> None:
        """Call in the loop what is about coroutines. None are left when it is closed, which the lease outlives."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(act, *args)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        track_tasks(self.loop)
        store = self._runtime.make_async_store()
        self._attempts = AsyncAttempts(self._runtime, self._watcher, self._held, Pipeline(store))
        self.loop.run_forever()
        self.loop.run_until_complete(store.close())
        self.loop.close()

    def _begin(self) -> None:
        with self._lock:
            orders, self._taken = self._taken, []
        for ticket in orders:
            task = self.loop.create_task(self._run(ticket))
            self._alive.add(task)
            task.add_done_callback(self._alive.discard)

    async def _run(self, ticket: TakenTicket) -> None:
        try:
            await self._attempts.run(ticket)
        finally:
            self._run_slots.leave(ticket)
