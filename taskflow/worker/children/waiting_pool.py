"""A prefork pool in which waiting costs no place: it has a child more for each one that waits, within a bound.

At the bound one process is kept for runs that others wait for: the ordinary Celery queues are left alone, and should
even that process wait, one more is started. So somebody always executes what waiting runs wait for. Everything here
happens on the hub's thread.
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
"""How often it is looked whether the pool has children to spare."""
_SPARED_LOOKS: Final = 10
"""For how many looks (5 s) a child is kept after it was needed: the next wait is often near, a fork takes a while."""
_SETTLING_SECONDS: Final = 0.1
"""How long an overgrown pool waits after each end of a run: those who waited for it go on first, and need no other."""


class WaitingPool:
    """Which children wait, how many there are to be, and how many tickets may start.

    Args:
        limit: By how many children it may grow.
        dismiss: Ends up to so many idle children and returns how many.
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
        self.on_change: Callable[[], None] = _nothing
        self.on_parked: Callable[[str], None] = _nothing

    # -- what others ask -----------------------------------------------------------------------------------------

    @property
    def concurrency(self) -> int:
        """How many runs may execute at a time."""
        return self._pool.size - self._grown

    @property
    def is_overgrown(self) -> bool:
        """Whether it has more children than its bound allows."""
        return self._grown > self.limit

    @property
    def is_closed(self) -> bool:
        """Whether only runs that others wait for may start."""
        return bool(self._waiting) and self._ordinary_left() <= 0

    def free_slots(self, celery_queue: str) -> int:
        """Return how many tickets of a Celery queue may start now."""
        free = self._places() - len(state.reserved_requests) - self._unknown()
        free += self._places() if self._busy.is_deep else self._busy.queued
        if self.is_overgrown and not self._is_settled():
            return 0
        if free > 0 and self._waiting and not is_subtask_queue(celery_queue):
            free = min(free, self._ordinary_left())
        return max(0, free)

    def info(self) -> dict[str, int]:
        """Return what ``celery inspect stats`` shows."""
        return {
            "concurrency": self.concurrency,
            "waiting": len(self._waiting),
            "waiting-limit": self.limit,
            "times-full": self.times_full,
        }

    # -- what happens --------------------------------------------------------------------------------------------

    def register(self, hub: Any) -> None:
        """Listen to the children; called whenever Celery's loop starts."""
        self._hub = hub
        hub.add_reader(self._line.fileno(), self._listen)
        hub.call_repeatedly(LOOK_SECONDS, self._look)
        hub.call_soon(self._look)

    def connect(self, *, can_give_back: bool) -> None:
        """A connection was made: whether a ticket that a child has at hand can go back to the broker."""
        self._can_give_back = can_give_back
        self._note_waiting()

    def ended(self, pid: int) -> None:
        """A child has ended, however."""
        self._take(self._line.read())  # its last word
        self._waiting.pop(pid, None)
        self._note_waiting()

    def _listen(self) -> None:
        self._take(self._line.read())
        self._fit()

    def _take(self, said: Iterable[Parked]) -> None:
        for parked in said:
            if not parked.is_waiting:
                self._waiting.pop(parked.pid, None)
            elif self._pool.child(parked.pid) is not None:
                self._waiting[parked.pid] = parked.run_id
                self._next_jobs.give_back(self._pool.child(parked.pid).inqW_fd)
                self.on_parked(parked.run_id)
        self._note_waiting()

    def _note_waiting(self) -> None:
        self._busy.may_queue = self._can_give_back and not self._waiting  # nothing lies behind a run that waits

    def _look(self) -> None:
        for pid in [pid for pid, run_id in self._waiting.items() if self._is_over(pid, run_id)]:
            del self._waiting[pid]
        self._needed.append(0)
        self._listen()
        if self._grown:
            self._shrink()

    def _fit(self) -> None:
        """Have as many children that don't wait as runs may execute, within the bound; never none."""
        if not self._pool.is_running:
            return
        self._needed[-1] = max(self._needed[-1], self._places())
        missing = self._places() - self._pool.size
        if missing > 0:
            self._pool.grow(missing)
            self._grown += missing
            self._pool.maintain_pool()
        self._note(has_overgrown=missing > 0 and self.is_overgrown)
        if self.is_overgrown:
            self._shrink()
        self.on_change()

    def _places(self) -> int:
        waiting = len(self._waiting)
        return max(self.concurrency + min(waiting, self.limit), waiting + 1)

    def _note(self, *, has_overgrown: bool) -> None:
        """Say once each time that the bound is reached."""
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

        As many as may execute at a time stay: the next runs need them.
        """
        size = self._pool.size
        idle = sum(1 for _ in self._pool.idle_children())
        spare = min(idle - self.concurrency, size - max(self._needed))
        surplus = min(size - self._places(), max(spare, self._grown - self.limit))
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
        """Return how many runs that nobody waits for may still have a process: all but one."""
        held = sum(not is_subtask_queue(_queue_of(request)) for request in state.reserved_requests)
        return self.concurrency + self.limit - 1 - held + self._busy.queued - self._unknown()

    def _unknown(self) -> int:
        """Return how many children wait for runs that Celery has lost in a reconnect: it reserves no place for them.

        A request that came twice is no such: its second end takes the first out of ``requests``, which goes by id.
        """
        missing = [run_id for run_id in self._waiting.values() if run_id not in state.requests]
        if not missing:
            return 0
        reserved = {request.id for request in state.reserved_requests}
        return sum(run_id not in reserved for run_id in missing)

    def _is_over(self, pid: int, run_id: str) -> bool:
        """Whether a run is over whose child has not said that it goes on: its claim was, say."""
        process = self._pool.child(pid)
        return process is None or (run_id not in state.requests and not self._busy.jobs(process.inqW_fd))


def _queue_of(request: Any) -> str:
    return str(request.delivery_info.get("routing_key") or "")


def waiting_limit(machines: Sequence[MachineSpec], host: Host, concurrency: int) -> int:
    """Return by how many children a node may grow: as many of its machines as the host's memory holds besides.

    Args:
        machines: Those whose runs the node executes; the largest counts.
    """
    largest = max((machine.memory_bytes for machine in machines), default=host.memory)
    return max(1, host.memory // largest - concurrency)


def _nothing(*_: object) -> None:
    return None
