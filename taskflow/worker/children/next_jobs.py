"""Tickets of jobs that lie too long behind a run in a child's pipe: they go back to the broker.

While runs are short a busy child has its next job at hand (``BusyChildren``). If the run before that job turns out to
be long, the ticket is put back to the front of its list as well. The first claim gets the run; the child that comes to
the job later drops it.
"""

import logging
from typing import Any, Final

from celery.worker import state

from taskflow.broker.ticket_qos import put_back_copy
from taskflow.worker.children.node_pool import NodePool

log = logging.getLogger("taskflow.node")
HOLD_SECONDS: Final = 0.05


class NextJobs:
    """Puts back the tickets of jobs that lie too long behind others. On the hub's thread."""

    def __init__(self, pool: NodePool) -> None:
        self._pool = pool
        self._busy = pool.busy
        self._busy.on_queued = self._watch
        self._hub: Any = None
        self._timer: Any = None
        self._seen: set[int] = set()
        self._given_back: set[int] = set()

    def register(self, hub: Any) -> None:
        """Use this event loop. Call it whenever the loop starts."""
        self._hub, self._timer = hub, None
        if self._busy.queued:
            self._watch()

    def give_back(self, pipe: int | None = None) -> None:
        """Put back the tickets of jobs that lie behind others: of one child, or of all that have lain long enough."""
        queued = self._pool.queued_jobs()
        self._given_back &= queued.keys()
        for number, job in queued.items():
            is_due = number in self._seen if pipe is None else job._write_to.inqW_fd == pipe
            if is_due and number not in self._given_back:
                self._busy.expect_long()
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
        if self._busy.queued:
            self._watch()
