"""How a node that was asked to stop spends its time: what executes may finish, then is interrupted, then it leaves."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

log = logging.getLogger("taskflow.node")
Interrupt = Callable[[timedelta], None]
"""Stops the code of every run, which has that long to clean up. Called in a thread of its own."""


class Departure:
    """The last ``shutdown_grace`` of a node.

    Its end is for cleaning up: ``cancel_grace``, but never more than half. Until then runs may finish.
    """

    def __init__(self, grace: timedelta, cancel_grace: timedelta, interrupt: Interrupt) -> None:
        self._cleanup = min(cancel_grace, grace / 2)
        self._patience = grace - self._cleanup
        self._interrupt = interrupt
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Start counting, once."""
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
