"""The asyncio executor as a node sees it, and the watch over its loop."""

import logging
import sys
import threading
import time
import traceback
from datetime import timedelta
from typing import Final

from taskflow.worker.coroutines.runs import AsyncRuns

log = logging.getLogger("taskflow.node")
BLOCKED_SECONDS: Final = 1.0


class CoroutineExecutor:
    """Stops coroutines on the node's behalf."""

    def __init__(self, runs: AsyncRuns) -> None:
        self._runs = runs

    def stop_run(self, run_id: str, claim: int, reason: str) -> bool:
        """Cancel a run's coroutine, if it executes here under this claim."""
        return self._runs.cancel(run_id, claim, reason)

    def tell_run(self, run_id: str) -> None:
        """Let a waiting coroutine look at what it waits for."""
        self._runs.tell(run_id)

    def stop_all(self) -> None:
        """Cancel every coroutine and wait until they have stopped; one that does not makes the node exit."""
        self._runs.cancel_all()
        while not self._runs.wait_idle(1):
            log.warning("node.stopping: %d runs still execute", self._runs.busy)

    def interrupt_all(self, grace: timedelta) -> None:
        """Cancel every coroutine: their runs start again elsewhere."""
        self._runs.interrupt_all(grace)


class LoopWatch:
    """Logs with its stack what blocks the loop for more than a second: it stops every other run of the node."""

    def __init__(self, runs: AsyncRuns) -> None:
        self._runs = runs
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="taskflow-loop-watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end."""
        self._is_stopping.set()

    def _watch(self) -> None:
        while not self._is_stopping.wait(BLOCKED_SECONDS):
            if not self._runs.busy:
                continue
            answered = threading.Event()
            asked = time.monotonic()
            self._runs.loop.call_soon_threadsafe(answered.set)
            if answered.wait(BLOCKED_SECONDS):
                continue
            stack = self._stack()
            answered.wait()
            log.warning("loop.blocked: for %.1f s by\n%s", time.monotonic() - asked, stack)

    def _stack(self) -> str:
        frame = sys._current_frames().get(  # pyright: ignore[reportPrivateUsage] - documented for debuggers
            self._runs.thread_id or 0
        )
        return "".join(traceback.format_stack(frame)) if frame else "(gone)"
