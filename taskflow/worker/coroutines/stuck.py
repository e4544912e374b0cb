"""The exit of an asyncio node when a coroutine, or what blocks the loop, does not stop."""

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.definition.signal import TIMED_OUT
from taskflow.errors import StaleClaimError
from taskflow.execution.outcome import Outcome, Tries, decide, timed_out
from taskflow.worker.attempt.claimed import finish_operation
from taskflow.worker.attempt.insist import insist
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.coroutines.running import RunningCoroutine, RunningCoroutines

log = logging.getLogger("taskflow.node")
STUCK_EXIT: Final = 70
"""Exit code of a node whose loop or coroutines do not stop (EX_SOFTWARE of sysexits.h)."""
_POLL_SECONDS: Final = 0.02


class StuckExit:
    """Ends the node's process. Its other runs count as interrupted, not as lost.

    Attributes:
        give_lease_back: Ends the node's lease, so that nothing waits for it to run out.
    """

    def __init__(self, runtime: Runtime, running: RunningCoroutines, grace: timedelta) -> None:
        self._runtime = runtime
        self._running = running
        self._grace = grace.total_seconds()
        self._is_leaving = threading.Lock()
        self.give_lease_back: Callable[[], None] = lambda: None

    def leave_because_of(self, stuck: RunningCoroutine) -> None:
        """Exit soon: the other runs may stop first. In the loop."""
        threading.Thread(target=self._leave, args=(stuck,), name="taskflow-leaving", daemon=True).start()

    def exit(self, why: str) -> None:
        """Exit now."""
        log.critical("node.exit: %s; what executes here starts again elsewhere", why)
        self.give_lease_back()
        os._exit(STUCK_EXIT)

    def _leave(self, stuck: RunningCoroutine) -> None:
        if not self._is_leaving.acquire(blocking=False):  # another run is stuck as well
            return
        log.critical("node.leaving: run %s did not stop within cancel_grace", stuck.run_id)
        self._running.interrupt_others(stuck)
        by = time.monotonic() + self._grace
        while self._running.has_others(stuck) and time.monotonic() < by:
            time.sleep(_POLL_SECONDS)
        if (outcome := self._outcome(stuck)) is not None:
            finish = finish_operation(stuck.ticket.definition, stuck.run_id, stuck.claim, outcome, hooks_left=True)
            with suppress(StaleClaimError):
                insist(self._runtime, finish, run_id=stuck.run_id)
        self.exit(f"run {stuck.run_id} does not stop")

    def _outcome(self, stuck: RunningCoroutine) -> Outcome | None:
        """Return the outcome of a run that was stopped for good, None when it starts again or has ended."""
        claimed = stuck.claimed
        if stuck.is_settled:
            return None
        if stuck.signal.reason == TIMED_OUT:
            return timed_out(claimed.max_duration)
        if stuck.signal.is_set() or stuck.escape.error is None:
            return None
        tries = Tries(claimed.failed_attempts, claimed.max_attempts, claimed.machine)
        return decide(stuck.escape.error, stuck.ticket.definition, tries, random.random, datetime.now(UTC))
