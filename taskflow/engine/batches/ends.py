"""The ends of the runs of a batch: read many at a time, wait for one after the other."""

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from typing import Any

from taskflow.engine.batches.plan import ITEMS_A_PART
from taskflow.engine.round_trips import Write
from taskflow.errors import ResultTimeoutError, RunNotFoundError
from taskflow.seams.batches import RunEnd
from taskflow.store import operations
from taskflow.store.wire import shard_of_run


class Search:
    """Reads the ends of runs: many in one round trip while all have ended, a single one after a run that has not."""

    def __init__(self, run_ids: Sequence[str], old: Callable[[str], RunEnd]) -> None:
        """Read nothing yet.

        Args:
            old: Returns the end of a run that has left the store.
        """
        self._old = old
        self.ends: dict[str, RunEnd] = {}
        self.left = deque(run_ids)
        self._step = ITEMS_A_PART

    def reads(self) -> list[Write]:
        """Return the operations that read the next runs."""
        return [
            (operations.runs.read_result(run_id), shard_of_run(run_id) or 0) for run_id in islice(self.left, self._step)
        ]

    def took(self, results: Sequence[Any]) -> str | None:
        """Take the results of ``reads``. Returns the first run that has not ended, to wait for. ``old`` may block."""
        read = [self.left.popleft() for _ in results]
        unfinished: list[str] = []
        for run_id, result in zip(read, results, strict=True):
            if isinstance(result, RunNotFoundError):
                self.ends[run_id] = self._old(run_id)
                continue
            if isinstance(result, Exception):
                raise result
            if result[0].is_finished:
                self.ends[run_id] = result
            else:
                unfinished.append(run_id)
        self.left.extendleft(reversed(unfinished))
        if not unfinished:
            self._step = min(2 * self._step, ITEMS_A_PART)
            return None
        self._step = 1
        return unfinished[0]

    def ended(self, run_id: str, end: RunEnd) -> None:
        """Take the end of the run that ``took`` returned."""
        self.left.popleft()
        self.ends[run_id] = end


def countdown(timeout: timedelta | None) -> Callable[[], timedelta | None]:
    """Return a function that returns the time left of a limit that begins now."""
    began = time.monotonic()
    return lambda: None if timeout is None else max(timedelta(0), timeout - timedelta(seconds=time.monotonic() - began))


@contextmanager
def naming_limit(timeout: timedelta | None) -> Generator[None]:
    """Replace, in a ResultTimeoutError, the time that was left by the limit that the caller gave."""
    try:
        yield
    except ResultTimeoutError as late:
        raise ResultTimeoutError(late.run_id, timeout or late.timeout, late.status) from None
