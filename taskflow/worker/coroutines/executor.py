"""The asyncio executor as a node uses it, and the watch over its loop."""

import logging
import sys
import threading
import time
import traceback
from datetime import timedelta
from typing import Final

from taskflow.worker.coroutines.runs import AsyncRuns
from taskflow.worker.repeating_thread import RepeatingThread

log = logging.getLogger("taskflow.node")
BLOCKED_SECONDS: Final = 1.0


class CoroutineExecutor:
    """Stops coroutines on the node's behalf."""

    def __init__(self, runs: AsyncRuns) -> None:
        self._runs = runs

    def stop_run(self, run_id: str, claim: int, reason: str) -> bool:
        """Cancel a run's coroutine, if it executes here under this claim."""
        return self._runs.cancel(run_id, claim, reason)

    def notify_run(self, run_id: str) -> None:
        """Have a waiting coroutine look at what it waits for."""
        self._runs.notify(run_id)

    def stop_all(self) -> None:
        """Cancel every coroutine and wait until they have stopped. A coroutine that does not makes the node exit."""
        self._runs.cancel_all()
        while not self._runs.wait_idle(1):
            log.warning("node.stopping: %d runs still execute", self._runs.busy)

    def interrupt_all(self, grace: timedelta) -> None:
        """Cancel every coroutine: their runs start again elsewhere."""
        self._runs.interrupt_all(grace)


class LoopWatch(RepeatingThread):
    """Logs the stack of what blocks the loop for more than a second, because it stops every other run of the node."""

    def __init__(self, runs: AsyncRuns) -> None:
        super().__init__("taskflow-loop-watch", first_pause=BLOCKED_SECONDS)
        self._runs = runs

    def turn(self) -> float:
        """Ask the loop for an answer, if it executes anything."""
        if not self._runs.busy or self._runs.loop.is_closed():
            return BLOCKED_SECONDS
        answered = threading.Event()
        asked = time.monotonic()
        self._runs.loop.call_soon_threadsafe(answered.set)
        if not answered.wait(BLOCKED_SECONDS):
            stack = self._stack()
            while not answered.wait(BLOCKED_SECONDS):
                self._runs.exit_if_deaf()
            log.warning("loop.blocked: for %.1f s by\n%s", time.monotonic() - asked, stack)
        return BLOCKED_SECONDS

    def handle_error(self, error: Exception) -> float:
        """Log it and go on."""
        log.error("loop.unwatched", exc_info=error)
        return BLOCKED_SECONDS

    def _stack(self) -> str:
        frame = sys._current_frames().get(  # pyright: ignore[reportPrivateUsage] - documented for debuggers
            self._runs.thread_id or 0
        )
        return "".join(traceback.format_stack(frame)) if frame else "(gone)"
