"""A prefork pool with a child more for each child that waits, within a bound, so that other runs can still start.

At the bound one process is kept for runs that others wait for, and the ordinary Celery queues are left alone. If that
process waits as well, one more is started. So there is always a child to execute what waiting runs wait for. Everything
here happens on the hub's thread.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from celery.worker import state

from taskflow.broker.queues import is_subtask_queue
from taskflow.definition.machine import MachineSpec
from taskflow.worker.attempt.parking import Parked, ParkingLine
from taskflow.worker.children.next_jobs import NextJobs
from taskflow.worker.children.node_pool import NodePool
from taskflow.worker.node.host import Host

log = logging.getLogger("taskflow.node")
LOOK_SECONDS: Final = 0.5
"""Pause between two looks whether the pool has children to spare."""
_SPARED_LOOKS: Final = 10
"""Looks (5 s) for which a child is kept after it was needed, because the next wait is often near and a fork is slow."""
_SETTLING_SECONDS: Final = 0.1
"""Pause of an overgrown pool after each end of a run: the runs that waited for it go on first, and need no other."""


class WaitingPool:
    """Counts the children that wait, chooses the size of the pool, and bounds the tickets that may start.

    Args:
        limit: The number of children by which the pool may grow.
        dismiss: Ends up to the given number of idle children and returns how many.
        next_jobs: Puts back what lies behind a run that waits.
    """

    def __init__(
        self, pool: NodePool, line: ParkingLine, limit: int, dismiss: Callable[[int], int], next_jobs: NextJobs
    ) -> None:
        self._pool = pool
        self._line = line
        self.limit = limit
        self._dismiss = dismiss
        self._next_jobs = next_jobs
        self._busy = pool.busy
        self._waiting: dict[int, str] = {}
        self._grown = 0
        self._needed = deque([0], maxlen=_SPARED_LOOKS)
        self._hub: Any = None
        self._reserved = 0
        self._settled_at = 0.0
        self._is_full = False
        self._can_give_back = False
        self.times_full = 0
        self.on_change: Callable[[], None] = lambda: None
        self.on_parked: Callable[[str], None] = lambda _: None

    # -- what the node asks -----------------------------------------------------------------------------------------

    @property
    def concurrency(self) -> int:
        """The number of runs that may execute at a time."""
        return self._pool.size - self._grown

    @property
    def is_overgrown(self) -> bool:
        """Whether the pool has more children than its bound allows."""
        return self._grown > self.limit

    @property
    def is_closed(self) -> bool:
        """Whether only runs that others wait for may start."""
        return bool(self._waiting) and self._ordinary_left() <= 0

    def free_slots(self, celery_queue: str) -> int:
        """Return how many tickets of a Celery queue may start now."""
        free = self._wanted() - len(state.reserved_requests) - self._unknown()
        free += self._wanted() if self._busy.is_deep else self._busy.queued
        if self.is_overgrown and not self._is_settled():
            return 0
        if free > 0 and self._waiting and not is_subtask_queue(celery_queue):
            free = min(free, self._ordinary_left())
        return max(0, free)

    def info(self) -> dict[str, int]:
        """Return the pool's part of ``celery inspect stats``. On the hub's thread."""
        self._take(self._line.read())  # the hub may come to the command before the lines
        return {
            "concurrency": self.concurrency,
            "waiting": len(self._waiting),
            "waiting-limit": self.limit,
            "times-full": self.times_full,
        }

    # -- what happens --------------------------------------------------------------------------------------------

    def register(self, hub: Any) -> None:
        """Read the children's lines through Celery's loop. Called whenever the loop starts."""
        self._hub = hub
        hub.add_reader(self._line.fileno(), self._listen)
        hub.call_repeatedly(LOOK_SECONDS, self._look)
        hub.call_soon(self._look)

    def connect(self, *, can_give_back: bool) -> None:
        """Begin a connection.

        Args:
            can_give_back: Whether a ticket that a child has at hand can go back to the broker.
        """
        self._can_give_back = can_give_back
        self._allow_queuing()

    def forget_child(self, pid: int) -> None:
        """Count a child that has ended as waiting no more."""
        self._take(self._line.read())  # its last line
        self._waiting.pop(pid, None)
        self._allow_queuing()

    def _listen(self) -> None:
        self._take(self._line.read())
        self._fit()

    def _take(self, lines: Iterable[Parked]) -> None:
        for parked in lines:
            if not parked.is_waiting:
                self._waiting.pop(parked.pid, None)
            elif self._pool.child(parked.pid) is not None:
                self._waiting[parked.pid] = parked.run_id
                self._next_jobs.give_back(self._pool.child(parked.pid).inqW_fd)
                self.on_parked(parked.run_id)
        self._allow_queuing()

    def _allow_queuing(self) -> None:
        self._busy.may_queue = self._can_give_back and not self._waiting  # no job may lie behind a run that waits

    def _look(self) -> None:
        for pid in [pid for pid, run_id in self._waiting.items() if self._is_over(pid, run_id)]:
            del self._waiting[pid]
        self._needed.append(0)
        self._listen()
        if self._grown:
            self._shrink()

    def _fit(self) -> None:
        """Have as many children that don't wait as runs may execute, within the bound, and at least one."""
        if not self._pool.is_running:  # the node drains
            return
        self._needed[-1] = max(self._needed[-1], self._wanted())
        missing = self._wanted() - self._pool.size
        if missing > 0:
            self._pool.grow(missing)
            self._grown += missing
            self._pool.maintain_pool()
        self._log_bound(has_overgrown=missing > 0 and self.is_overgrown)
        if self.is_overgrown:
            self._shrink()
        self.on_change()

    def _wanted(self) -> int:
        waiting = len(self._waiting)
        return max(self.concurrency + min(waiting, self.limit), waiting + 1)

    def _log_bound(self, *, has_overgrown: bool) -> None:
        """Log that the bound is reached, once each time."""
        is_full = len(self._waiting) >= (self.limit // 2 + 1 if self._is_full else self.limit)
        if is_full and not self._is_full:
            self.times_full += 1
            log.warning(
                "waiting.full: %d children wait; the node may have no more besides its concurrency of %d. From now "
                "on waiting takes its places; the last is for what others wait for. If the host has the memory, raise "
                "TASKFLOW_WAITING_LIMIT; async tasks wait without a process.",
                len(self._waiting),
                self.concurrency,
            )
        if has_overgrown:
            log.warning(
                "waiting.overgrown: all %d children wait for other runs; one more was started to execute those",
                len(self._waiting),
            )
        self._is_full = is_full

    def _shrink(self) -> None:
        """End idle children that were not needed for a while, and at once those beyond the bound.

        As many as may execute at a time stay, because the next runs need them.
        """
        size = self._pool.size
        idle = sum(1 for _ in self._pool.idle_children())
        spare = min(idle - self.concurrency, size - max(self._needed))
        surplus = min(size - self._wanted(), max(spare, self._grown - self.limit))
        if surplus > 0:
            self._grown -= self._dismiss(surplus)

    def _is_settled(self) -> bool:
        now, reserved = time.monotonic(), len(state.reserved_requests)
        if reserved < self._reserved:
            self._settled_at = now + _SETTLING_SECONDS
            self._hub.call_later(_SETTLING_SECONDS, self._listen)
        self._reserved = reserved
        return now >= self._settled_at

    def _ordinary_left(self) -> int:
        """Return how many more runs that no run waits for may have a process. One process is kept from them."""
        ordinary = sum(not is_subtask_queue(_queue_of(request)) for request in state.reserved_requests)
        return self.concurrency + self.limit - 1 - ordinary + self._busy.queued - self._unknown()

    def _unknown(self) -> int:
        """Return how many waiting children execute runs that Celery has lost in a reconnect and does not count.

        A request that came twice is not lost, although its second end takes the first out of ``requests`` by its id.
        """
        missing = [run_id for run_id in self._waiting.values() if run_id not in state.requests]
        if not missing:
            return 0
        reserved = {request.id for request in state.reserved_requests}
        return sum(run_id not in reserved for run_id in missing)

    def _is_over(self, pid: int, run_id: str) -> bool:
        """Whether a run has ended although its child has sent no line, for example because the claim had ended."""
        process = self._pool.child(pid)
        return process is None or (run_id not in state.requests and not self._busy.jobs(process.inqW_fd))


def _queue_of(request: Any) -> str:
    return str(request.delivery_info.get("routing_key") or "")


def waiting_limit(machines: Sequence[MachineSpec], host: Host, concurrency: int) -> int:
    """Return the number of children by which a node may grow: as many machines more as the host's memory holds.

    Args:
        machines: The machines whose runs the node executes. The largest counts.
    """
    largest = max((machine.memory_bytes for machine in machines), default=host.memory)
    return max(1, host.memory // largest - concurrency)
