"""Triggers whose transaction was committed while the store did not answer. They are tried again until it does.

They are in memory only: a process that ends before the store is back logs the runs that were not made. With an outbox
(``Transaction.record``) their records stay, and workers make them.
"""

import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from taskflow.errors import BatchTriggerError, ObjectStoreError, StoreUnavailableError

log = logging.getLogger("taskflow.trigger")

MOST_KEPT: Final = 100_000
"""Most triggers that a process keeps: with small payloads some 100 MB."""
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0
_AWAY: Final = (StoreUnavailableError, ObjectStoreError, BatchTriggerError)


class _Late(NamedTuple):
    run_id: str
    publish: Callable[[], None]
    is_recorded: bool


class LateTriggers:
    """The triggers that are kept, oldest first, and the thread that repeats them. A repeated trigger makes one run."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew, also in a forked child: its parent makes what was kept."""
        self._kept: deque[_Late] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wakes = threading.Event()

    def __len__(self) -> int:
        return len(self._kept)

    def publish(self, run_id: str, publish: Callable[[], None], *, is_recorded: bool = False) -> None:
        """Make a run now, or keep it until the store answers. Never raises, because its transaction is committed.

        While older triggers are kept, the store is not asked: no request waits for a store that is known to be away.

        Args:
            is_recorded: Whether an outbox has the trigger, so that it is never lost.
        """
        late = _Late(run_id, publish, is_recorded)
        if self._kept:
            self._keep(late)
            return
        try:
            publish()
        except _AWAY as error:
            log.error(
                "trigger.late: the transaction is committed, and run %s could not be made: %s It is tried again until "
                "the store answers.",
                run_id,
                error,
            )
            self._keep(late)
        except Exception:  # noqa: BLE001 - it is logged
            _log_failure(late)

    def flush(self) -> bool:
        """Make the kept runs, in their order. Returns False when the store still does not answer."""
        while self._kept:
            late = self._kept[0]
            try:
                late.publish()
            except _AWAY:
                return False
            except Exception:  # noqa: BLE001 - it is logged
                _log_failure(late)
            else:
                log.info("trigger.caught_up: run %s is made", late.run_id)
            self._kept.popleft()
        return True

    def leave(self) -> None:
        """Try once more at the process's end, and log the runs that are lost with it."""
        thread, self._thread = self._thread, None
        self._wakes.set()
        if thread is not None:
            thread.join(2 * _LONGEST_PAUSE_S)
        if not self._kept or self.flush():
            return
        lost = ", ".join(late.run_id for late in self._kept if not late.is_recorded)
        recorded = ", ".join(late.run_id for late in self._kept if late.is_recorded)
        if lost:
            log.critical("trigger.lost: the process ends before the store answered. Runs that were not made: %s", lost)
        if recorded:
            log.error("trigger.left: the process ends before the store answered. Workers will make runs %s", recorded)

    def _keep(self, late: _Late) -> None:
        with self._lock:
            if len(self._kept) >= MOST_KEPT:
                if not late.is_recorded:
                    log.critical("trigger.lost: run %s was not made: %d others wait already", late.run_id, MOST_KEPT)
                return
            self._kept.append(late)
            if self._thread is None:
                self._wakes.clear()
                self._thread = threading.Thread(target=self._repeat, name="taskflow-late-triggers", daemon=True)
                self._thread.start()

    def _repeat(self) -> None:
        pause, mine = _FIRST_PAUSE_S, threading.current_thread()
        while self._thread is mine:
            self._wakes.wait(pause)
            if self._thread is mine and self.flush():
                with self._lock:
                    if not self._kept:  # else another one came meanwhile
                        self._thread = None
                        return
            pause = min(2 * pause, _LONGEST_PAUSE_S)


def _log_failure(late: _Late) -> None:
    code, ending = ("trigger.left", "; the outbox has it") if late.is_recorded else ("trigger.lost", "")
    log.exception("%s: the transaction is committed, and run %s could not be made%s", code, late.run_id, ending)


LATE: Final = LateTriggers()
os.register_at_fork(after_in_child=LATE.forget)
atexit.register(LATE.leave)
