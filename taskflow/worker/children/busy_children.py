"""The books of a pool: which children are busy, and how many jobs each of them has.

Celery's fair scheduler gives a child a job once its last result was read. Between two short runs the child then idles
for longer than it works. So while runs are short, each busy child may get one job more, after every idle child has one.
"""

from collections.abc import Callable
from time import monotonic
from typing import Final

SHORT_SECONDS: Final = 0.005
"""Runs are short when they take no longer on average. The wake-ups between two runs take some 0.2 ms."""
_WEIGHT: Final = 0.2
_NEVER: Final = float("inf")


class BusyChildren(set[int]):
    """The job pipes of busy children, in place of ``AsynPool._busy_workers``. On the hub's thread.

    As a set it has the pipes of all busy children. ``in`` and ``len`` answer what Celery's scheduler asks: which
    children may get no job now.

    Args:
        pipes: The job pipes of all children, as Celery keeps them.
    """

    def __init__(self, pipes: set[int]) -> None:
        super().__init__()
        self._pipes = pipes
        self._jobs: dict[int, int] = {}
        self._since: dict[int, float] = {}
        self._mean = _NEVER
        self.may_queue = False
        self.on_queued: Callable[[], None] = lambda: None

    @property
    def is_deep(self) -> bool:
        """Whether a busy child may have its next job at hand."""
        return self.may_queue and self._mean <= SHORT_SECONDS

    @property
    def queued(self) -> int:
        """The number of jobs that lie behind others."""
        return sum(self._jobs.values()) - len(self._jobs)

    def jobs(self, pipe: int) -> int:
        """Return how many jobs a child was given whose results were not read."""
        return self._jobs.get(pipe, 0)

    def add(self, pipe: int, /) -> None:
        """Count a job that a child is given."""
        super().add(pipe)
        jobs = self._jobs[pipe] = self._jobs.get(pipe, 0) + 1
        if jobs == 1:
            self._since[pipe] = monotonic()
        else:
            self.on_queued()

    def finish(self, pipe: int) -> None:
        """Count a result that was read."""
        jobs = self._jobs.get(pipe, 0)
        if not jobs:
            return
        now = monotonic()
        took = now - self._since[pipe]
        self._mean = took if self._mean == _NEVER else self._mean + _WEIGHT * (took - self._mean)
        if jobs == 1:
            self.discard(pipe)
        else:
            self._jobs[pipe], self._since[pipe] = jobs - 1, now

    def expect_long(self) -> None:
        """Take runs for long ones until some have been short."""
        self._mean = max(self._mean, 100 * SHORT_SECONDS) if self._mean < _NEVER else _NEVER

    def discard(self, pipe: object, /) -> None:
        """Forget a child that has ended."""
        if isinstance(pipe, int):
            super().discard(pipe)
            self._jobs.pop(pipe, None)
            self._since.pop(pipe, None)

    def intersection_update(self, *others: object) -> None:
        """Keep everything at a reconnect, because a child executes what was written to it. Celery would forget that."""

    def __contains__(self, pipe: object) -> bool:
        jobs = self._jobs.get(pipe, 0) if isinstance(pipe, int) else 0
        return jobs > 0 and (jobs > 1 or not self.is_deep or self._has_idle())

    def __len__(self) -> int:
        if self._has_idle() or not self.is_deep:
            return len(self._jobs)
        return sum(jobs > 1 for jobs in self._jobs.values())

    def _has_idle(self) -> bool:
        return len(self._jobs) < len(self._pipes)
