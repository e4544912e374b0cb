"""The run slots of an asyncio node: how many tickets it has taken, and when each may be acknowledged."""

import threading
from collections.abc import Callable

from taskflow.worker.coroutines.taken_ticket import TakenTicket


class RunSlots:
    """A run has a run slot from its ticket to its end, except while its code only waits.

    Args:
        on_free: Called in the loop's thread when a run slot is free again.
    """

    def __init__(self, on_free: Callable[[], None]) -> None:
        self._on_free = on_free
        self._busy = 0
        self._released: set[int] = set()  # ids of tickets that the broker need not keep
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()

    @property
    def busy(self) -> int:
        """The number of taken run slots. From any thread."""
        return self._busy

    def wait_idle(self, seconds: float | None = None) -> bool:
        """Wait until no run slot is taken. From any thread."""
        return self._idle.wait(seconds)

    def take(self) -> None:
        """Take a run slot: for a ticket, or for a run that waited and goes on. From any thread."""
        with self._lock:
            self._busy += 1
            self._idle.clear()

    def park(self, ticket: TakenTicket) -> None:
        """Give a run slot back while its run waits. The ticket may be acknowledged, because the store has the run."""
        self._release(ticket)
        self._leave()

    def leave(self, ticket: TakenTicket) -> None:
        """Give a run slot back whose run has ended, or is another node's."""
        self._release(ticket)
        self._released.discard(id(ticket))
        self._leave()

    def _release(self, ticket: TakenTicket) -> None:
        """Have a ticket acknowledged, once."""
        if (
            ticket.on_done and id(ticket) not in self._released
        ):  # not by run, whose ticket may come again while it waits
            self._released.add(id(ticket))
            ticket.on_done()

    def _leave(self) -> None:
        with self._lock:
            self._busy -= 1
            if not self._busy:
                self._idle.set()
        self._on_free()
