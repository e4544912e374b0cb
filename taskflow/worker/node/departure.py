"""The departure of a node that was asked to stop: runs may finish, then they are interrupted, then the node leaves."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

log = logging.getLogger("taskflow.node")
Interrupt = Callable[[timedelta], None]
"""Stops the code of every run, which has the given time to clean up. Called in a thread of its own."""


class Departure:
    """The last ``shutdown_grace`` of a node.

    Runs may finish, except in its last part, which is for cleaning up: ``cancel_grace``, and never more than half.
    """

    def __init__(self, grace: timedelta, cancel_grace: timedelta, interrupt: Interrupt) -> None:
        self._cleanup = min(cancel_grace, grace / 2)
        self._patience = grace - self._cleanup
        self._interrupt = interrupt
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Start the timer. A second call does nothing."""
        if self._timer is None:
            self._timer = threading.Timer(self._patience.total_seconds(), self._end)
            self._timer.name, self._timer.daemon = "taskflow-departure", True
            self._timer.start()

    def _end(self) -> None:
        log.warning(
            "node.interrupting: what still executes starts again elsewhere; it has %g s to clean up",
            self._cleanup.total_seconds(),
        )
        self._interrupt(self._cleanup)
