"""How the runs of a batch ended: look for many at a time, wait for one after the other."""

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
    """Runs whose ends are looked for: many a write while all of them are found, one after one that was not."""

    def __init__(self, run_ids: Sequence[str], old: Callable[[str], RunEnd]) -> None:
        """Look at nothing yet.

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
        """Take their results. Returns the first run when it has not ended: wait for it. May block, see ``old``."""
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
        """Take the end of the run that was waited for."""
        self.left.popleft()
        self.ends[run_id] = end


def countdown(timeout: timedelta | None) -> Callable[[], timedelta | None]:
    """Return what tells how much of a time limit is left, from now on."""
    began = time.monotonic()
    return lambda: None if timeout is None else max(timedelta(0), timeout - timedelta(seconds=time.monotonic() - began))


@contextmanager
def told_as(timeout: timedelta | None) -> Generator[None]:
    """Have an error name the time limit that the user gave."""
    try:
        yield
    except ResultTimeoutError as late:  # it names what was left of the time, the user what was given
        raise ResultTimeoutError(late.run_id, timeout or late.timeout, late.status) from None
