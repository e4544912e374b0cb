"""One state of the code and the workers that serve it."""

import signal
import time
from typing import Final

from taskflow.dev.messages import Loaded
from taskflow.dev.process import DevProcess
from taskflow.worker.node.retirement import RETIRE

_RETIRE_SECONDS: Final = 10.0
"""Time after which a reload counts as done although an old node has not said that it takes no runs."""
_SLOW_SECONDS: Final = 10.0


class Generation:
    """The workers of one state of the code: their supervisor's process, and what it has reported.

    Attributes:
        number: 1 for the first one of the session.
        edited_at: The instant of the edit, by the monotonic clock.
        loaded: The report of the import, None before.
        was_refused: Whether the code can't be served.
        has_trouble: Whether a node has ended although nobody asked it to.
        is_stopped: Whether ``stop`` was called.
    """

    def __init__(self, number: int, process: DevProcess) -> None:
        self.number, self.process = number, process
        self.edited_at = time.monotonic()
        self.loaded: Loaded | None = None
        self.was_refused = self.has_trouble = self.is_stopped = False
        self._ready = self._retired = 0
        self._retired_at: float | None = None
        self._is_told = False

    @property
    def tasks(self) -> frozenset[str]:
        """The ids of its tasks."""
        return frozenset(self.loaded.tasks if self.loaded else ())

    @property
    def is_ready(self) -> bool:
        """Whether all of its nodes take runs."""
        return self.loaded is not None and self._ready >= len(self.loaded.nodes)

    @property
    def is_retired(self) -> bool:
        """Whether none of its nodes takes runs any more."""
        if self._retired_at is None:
            return False
        has_ended = self.process.exitcode is not None
        return has_ended or self._retired >= self._ready or time.monotonic() - self._retired_at > _RETIRE_SECONDS

    def is_slow(self) -> bool:
        """Whether its runs take long to end: once True, for one line about it."""
        if self._is_told or self._retired_at is None or time.monotonic() - self._retired_at < _SLOW_SECONDS:
            return False
        self._is_told = True
        return True

    def count_ready(self) -> None:
        """Count a node that takes runs."""
        self._ready += 1

    def count_retired(self) -> None:
        """Count a node that takes no runs any more."""
        self._retired += 1

    def retire(self) -> None:
        """Have it take no new runs, and end after those that it executes."""
        self._retired_at = time.monotonic()
        self.process.signal(RETIRE if self.loaded else signal.SIGTERM)  # before that it has no nodes

    def stop(self, number: signal.Signals) -> None:
        """Have it end as ``taskflow worker`` does: at SIGTERM in good order, at SIGQUIT at once."""
        self.is_stopped = True
        self.process.signal(number if self.loaded else signal.SIGTERM)
