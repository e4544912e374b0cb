"""A test whose runs real workers execute, in processes of their own."""

import threading
import time
from datetime import timedelta
from typing import Final

from taskflow.broker.queues import shared_queue, subtask_queue
from taskflow.broker.taken_messages import lists_of
from taskflow.errors import StandstillError, TaskflowError
from taskflow.testing.moved_clock import MovedClock
from taskflow.testing.moved_flow import MovedFlow
from taskflow.testing.processes.quiet import goes_on
from taskflow.testing.stage import Stage
from taskflow.testing.timers import StoreTimers

_PAUSE_S: Final = 0.01
_PATIENCE_S: Final = 60.0
_LOOKS: Final = 2
"""Looks in a row that find nothing: a worker may hold for an instant what the store does not show."""


class WorkersStage(Stage):
    """Verbs return as in production: before their runs have ended. ``settle`` waits for them."""

    def __init__(self, flow: MovedFlow, clock: MovedClock) -> None:
        super().__init__(flow, clock)
        self._timers = StoreTimers(flow.store)
        environment = flow.settings.environment
        shared = [shared_queue(environment, name, kind) for name in flow.presets for kind in ("process", "async")]
        self._lists = [name for queue in (*shared, *map(subtask_queue, shared)) for name in lists_of(queue)]
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._hasten, name="taskflow-testing-retries", daemon=True)
        self._thread.start()

    @property
    def is_inline(self) -> bool:
        """Whether runs execute in this process."""
        return False

    def settle(self) -> None:
        """Return once nothing goes on by itself.

        Raises:
            StandstillError: Something still goes on after a minute.
        """
        deadline = time.monotonic() + _PATIENCE_S
        quiet = 0
        while True:
            why = self._goes_on()
            quiet = 0 if why else quiet + 1
            if quiet >= _LOOKS:
                return
            if time.monotonic() > deadline:
                raise StandstillError(f"rest (there is {why})", self.waiting())
            time.sleep(_PAUSE_S)

    def close(self) -> None:
        """End the thread."""
        self._is_over.set()
        self._thread.join()

    def _advance(self, duration: timedelta) -> None:
        self.settle()
        end = self._clock.now() + duration
        while (due := self._timers.next_due()) is not None and due < end:
            self._move(due - self._clock.now() + timedelta(milliseconds=1))
            self.settle()
        self._move(end - self._clock.now())
        self.settle()

    def _move(self, duration: timedelta) -> None:
        if duration > timedelta(0):
            self._timers.age(self._clock.move(duration))
            self._timers.wake()

    def _goes_on(self) -> str:
        due = self._timers.next_due()
        if due is not None and due <= self._clock.now():
            self._timers.wake()
            return "something that is due"
        return goes_on(self.flow.store, self._lists)

    def _hasten(self) -> None:
        """Let delays of retries be over, in a thread, because a test may wait for a result meanwhile."""
        while not self._is_over.wait(2 * _PAUSE_S):
            try:
                if self._timers.hasten_retries(self._clock.micros()):
                    self._timers.wake()
            except TaskflowError:  # the store is about to end
                return
