"""Celery's pool interface over the asyncio executor: ``-P custom``, named by CELERY_CUSTOM_WORKER_POOL."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery import signals
from celery.concurrency.base import BasePool, apply_target

from taskflow.execution.outcome import Completed, Ended, Outcome, Retried
from taskflow.worker.attempt.runtime import runtime_of
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
        """Start the loop."""
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

    def take(self, ticket: TakenTicket) -> None:
        """Start a run. On the hub's thread."""
        self.events.on_take(ticket)
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


class CeleryEvents:
    """Sends the task events and signals that Celery's tracer would send, if there is a listener."""

    def __init__(self) -> None:
        self._call_on_hub: Callable[[Callable[[], None]], None] | None = None
        self._dispatcher: Any = None

    def connect(self, call_on_hub: Callable[[Callable[[], None]], None], dispatcher: Any) -> None:
        """Send from now on through a consumer's event dispatcher, on the hub's thread."""
        self._call_on_hub, self._dispatcher = call_on_hub, dispatcher

    def on_take(self, ticket: TakenTicket) -> None:
        """Send that a ticket was taken. On the hub's thread."""
        if self._has_listener():
            self._dispatcher.send(
                "task-received", uuid=ticket.run_id, name=ticket.definition.id, args=ticket.args, kwargs="{}"
            )

    def on_start(self, ticket: TakenTicket) -> None:
        """Send that a run was claimed and starts."""
        if signals.task_prerun.receivers:
            signals.task_prerun.send(sender=ticket.definition.id, task_id=ticket.run_id, task=ticket.definition.id)
        self._send("task-started", ticket)

    def on_end(self, ticket: TakenTicket, outcome: Outcome, seconds: float) -> None:
        """Send the outcome of an attempt."""
        match outcome:
            case Completed(_, value):
                if self._has_listener():
                    self._send("task-succeeded", ticket, result=repr(value)[:1024], runtime=seconds)
                if signals.task_success.receivers:
                    signals.task_success.send(sender=ticket.definition.id, result=value)
            case Retried(error) | Ended(error):
                kind = "task-retried" if isinstance(outcome, Retried) else "task-failed"
                self._send(kind, ticket, exception=f"{error.type}: {error.message}", traceback=error.traceback)
                signal = signals.task_retry if isinstance(outcome, Retried) else signals.task_failure
                if signal.receivers:
                    signal.send(
                        sender=ticket.definition.id, task_id=ticket.run_id, reason=error, exception=outcome.cause
                    )
        if signals.task_postrun.receivers:
            signals.task_postrun.send(sender=ticket.definition.id, task_id=ticket.run_id, task=ticket.definition.id)

    def on_drop(self, ticket: TakenTicket) -> None:
        """Send that a ticket was stale, or that its run's code was stopped."""
        self._send("task-revoked", ticket, terminated=True, signum=None, expired=False)

    def _has_listener(self) -> bool:
        return self._dispatcher is not None and bool(self._dispatcher.enabled)

    def _send(self, kind: str, ticket: TakenTicket, **fields: Any) -> None:
        if not self._has_listener() or self._call_on_hub is None:
            return
        self._call_on_hub(lambda: self._publish(kind, fields | {"uuid": ticket.run_id}))

    def _publish(self, kind: str, fields: dict[str, Any]) -> None:
        """Send one event. On the hub's thread, which an error would end."""
        try:
            self._dispatcher.send(kind, **fields)
        except Exception as error:  # noqa: BLE001 - an error here would end the hub's thread
            log.warning("event.unsent: %s: %s", kind, error)
