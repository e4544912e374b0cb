"""Celery's pool interface over the asyncio executor: ``-P custom``, named by CELERY_CUSTOM_WORKER_POOL."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery.concurrency.base import BasePool, apply_target

from taskflow.execution.forks import execute_runs_here
from taskflow.execution.reporting.text_streams import StandardStreams
from taskflow.worker.attempt.runtime import runtime_of
from taskflow.worker.coroutines.celery_events import CeleryEvents
from taskflow.worker.coroutines.request import show_coroutines
from taskflow.worker.coroutines.runs import AsyncRuns
from taskflow.worker.coroutines.taken_ticket import TakenTicket

log = logging.getLogger("taskflow.node")


class AsyncPool(BasePool):
    """Takes tickets past Celery's tracer; other tasks (chords, pings) run in a few threads."""

    task_join_will_block = False
    signal_safe = False
    body_can_be_buffer = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.events = CeleryEvents()
        self.on_free: Callable[[], None] = lambda: None
        self.runs = AsyncRuns(runtime_of(self.app), self.events, lambda: self.on_free())
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="taskflow-plain")

    def on_start(self) -> None:
        """Start the loop, and give the node's process the streams of runs."""
        show_coroutines(self.app)
        self.events.books.connect()
        execute_runs_here()
        runtime_of(self.app).reports.output = StandardStreams()
        self.runs.start()

    def on_stop(self) -> None:
        """Drain: wait until the runs that execute have finished or were interrupted, see ``Departure``."""
        self.runs.suspend_waiting()
        while not self.runs.wait_idle(10):
            log.info("node.draining: %d runs still execute", self.runs.busy)
        self.runs.stop()

    def on_terminate(self) -> None:
        """Stop at once: cancel the runs that execute and give them a moment to clean up."""
        self.runs.cancel_all()
        self.runs.wait_idle(2)
        self.runs.stop()

    def on_apply(
        self,
        target: Callable[..., Any],
        args: Any = None,
        kwargs: Any = None,
        callback: Any = None,
        accept_callback: Any = None,
        **_: Any,
    ) -> Any:
        """Run a Celery task that is not ours in a thread."""
        return self._threads.submit(apply_target, target, args, kwargs, callback, accept_callback)

    def take(self, ticket: TakenTicket, consumer: Any) -> None:
        """Start a run, whose ticket a consumer took. On the hub's thread."""
        self.events.on_take(ticket, consumer)
        self.runs.take(ticket)

    def free_slots(self) -> int:
        """Return how many more runs may start now."""
        return max(0, int(self.limit) - self.runs.busy)

    @property
    def num_processes(self) -> int:
        """The pool's size, as ``celery inspect stats`` shows it."""
        return int(self.limit)

    def _get_info(self) -> dict[str, Any]:
        return {"implementation": "taskflow asyncio", "max-concurrency": self.limit, "executing": self.runs.busy}
