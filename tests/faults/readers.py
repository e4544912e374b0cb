"""Readers of the items that runs write, during all faults."""

import threading
import time

from taskflow import StoreUnavailableError
from tests.faults.talking_tasks import Line, tale

MOST = 8
JOIN_SECONDS = 20


class Readers:
    """Follow the output streams of some runs at a time, each in a thread of its own.

    Attributes:
        read: The items that were read of each followed run.
    """

    def __init__(self) -> None:
        self.read: dict[str, list[Line]] = {}
        self._threads: dict[str, threading.Thread] = {}

    def follow(self, run_id: str) -> None:
        """Read the items of a run until it has ended, unless too many runs are followed already."""
        if sum(thread.is_alive() for thread in self._threads.values()) < MOST:
            self.read[run_id] = []
            self._threads[run_id] = threading.Thread(target=self._follow, args=(run_id,), name="reader", daemon=True)
            self._threads[run_id].start()

    def ended(self) -> list[str]:
        """Wait until all readers have ended, which they do with their runs. Returns the runs whose reader did not."""
        for thread in self._threads.values():
            thread.join(JOIN_SECONDS)
        return [f"the reader of {run_id} did not end" for run_id, one in self._threads.items() if one.is_alive()]

    def _follow(self, run_id: str) -> None:
        lines = self.read[run_id]
        while True:
            try:
                for line in tale.read(run_id, start_index=len(lines)):
                    lines.append(line)
                return
            except StoreUnavailableError:  # only at the beginning; later the reader waits for the store
                time.sleep(0.2)
