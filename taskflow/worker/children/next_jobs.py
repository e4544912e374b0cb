"""Which children are busy, and which of them have their next job at hand: in their pipe, behind the one they execute.

Celery's fair scheduler gives a child a job once its last result was read. Between two short runs the child idles then
for longer than it works. So while runs are short, each busy child gets one job more, after every idle child has one. If
the run before it turns out to be long, its ticket is put back to the front of its list as well: whoever claims first
has it, and the child that comes to it later drops it.
"""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from celery.worker import state

from taskflow.broker.ticket_qos import put_back_copy

log = logging.getLogger("taskflow.node")
SHORT_SECONDS: Final = 0.005
"""Runs are short when they take no longer on average: the wake-ups between two of them take some 0.2 ms."""
HOLD_SECONDS: Final = 0.05
_WEIGHT: Final = 0.2
_ENOUGH: Final = 1000  # a semaphore grows one by one: a million took 0.35 s of each start
_NEVER: Final = float("inf")


class BusyChildren(set[int]):
    """The job pipes of busy children, in place of ``AsynPool._busy_workers``. On the hub's thread.

    As a set it has all that are busy; ``in`` and ``len`` answer what Celery's scheduler asks: which may get no job now.

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
        self.on_queued: Callable[[], None] = _nothing

    @property
    def is_deep(self) -> bool:
        """Whether a busy child may have its next job at hand."""
        return self.may_queue and self._mean <= SHORT_SECONDS

    @property
    def queued(self) -> int:
        """How many jobs lie behind others."""
        return sum(self._jobs.values()) - len(self._jobs)

    def jobs(self, pipe: int) -> int:
        """Return how many jobs a child was given whose results were not read."""
        return self._jobs.get(pipe, 0)

    def add(self, pipe: int, /) -> None:
        """A child is given a job."""
        super().add(pipe)
        jobs = self._jobs[pipe] = self._jobs.get(pipe, 0) + 1
        if jobs == 1:
            self._since[pipe] = monotonic()
        else:
            self.on_queued()

    def finished(self, pipe: int) -> None:
        """A result was read."""
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
        """Let runs be long until some have been short."""
        self._mean = max(self._mean, 100 * SHORT_SECONDS) if self._mean < _NEVER else _NEVER

    def discard(self, pipe: object, /) -> None:
        """A child is gone."""
        if isinstance(pipe, int):
            super().discard(pipe)
            self._jobs.pop(pipe, None)
            self._since.pop(pipe, None)

    def intersection_update(self, *others: object) -> None:
        """Keep everything at a reconnect: a child executes what was written to it, though Celery would forget that."""

    def __contains__(self, pipe: object) -> bool:
        jobs = self._jobs.get(pipe, 0) if isinstance(pipe, int) else 0
        return jobs > 0 and (jobs > 1 or not self.is_deep or self._has_idle())

    def __len__(self) -> int:
        if self._has_idle() or not self.is_deep:
            return len(self._jobs)
        return sum(jobs > 1 for jobs in self._jobs.values())

    def _has_idle(self) -> bool:
        return len(self._jobs) < len(self._pipes)


class NextJobs:
    """Gives busy children of one pool their next jobs, and the tickets of those that lie too long back to the broker.

    Args:
        pool: Celery's prefork pool, started (``celery.concurrency.prefork.TaskPool``).
    """

    def __init__(self, pool: Any) -> None:
        self._asyn = asyn = pool._pool
        self.busy = BusyChildren(asyn._all_inqueues)
        self.busy.on_queued = self._watch
        self._hub: Any = None
        self._timer: Any = None
        self._seen: set[int] = set()
        self._given_back: set[int] = set()
        asyn._busy_workers, asyn._mark_worker_as_available = self.busy, self.busy.finished
        asyn._putlock.grow(_ENOUGH)  # how many jobs there are, free slots say
        self._keep_written(pool)

    def register(self, hub: Any) -> None:
        """Use this event loop: whenever it starts."""
        self._hub, self._timer = hub, None
        if self.busy.queued:
            self._watch()

    def give_back(self, pipe: int | None = None) -> None:
        """Put the tickets of jobs that lie behind others back: of one child, or of all that have lain long enough."""
        queued = self._queued()
        self._given_back &= queued.keys()
        for number, job in queued.items():
            is_due = number in self._seen if pipe is None else job._write_to.inqW_fd == pipe
            if is_due and number not in self._given_back:
                self.busy.expect_long()
                request = state.requests.get(job.correlation_id)
                if request is not None and put_back_copy(request.message):
                    self._given_back.add(number)
                    log.debug("ticket.given_back: %s lies behind a long run", job.correlation_id)
        self._seen = set(queued)

    def _watch(self) -> None:
        if self._timer is None and self._hub is not None:
            self._timer = self._hub.call_later(HOLD_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        self.give_back()
        if self.busy.queued:
            self._watch()

    def _queued(self) -> dict[int, Any]:
        """Return the jobs that lie in pipes behind others."""
        return {
            job._job: job
            for job in list(self._asyn._cache.values())
            if not job._accepted and job._write_to is not None and self.busy.jobs(job._write_to.inqW_fd) > 1
        }

    def _keep_written(self, pool: Any) -> None:
        """Keep the jobs in pipes in Celery's books at a reconnect: they will be executed, and may have to be killed."""
        flush, cache = self._asyn.flush, self._asyn._cache

        def flush_unwritten() -> None:
            written = [job for job in cache.values() if not job._accepted and job._write_to is not None]
            flush()
            for job in written:
                if job._write_to._is_alive():
                    cache[job._job] = job

        pool.flush = self._asyn.flush = flush_unwritten


def _nothing() -> None:
    return None
