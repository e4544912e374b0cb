"""Sends of coroutine runs what Celery's tracer sends of tasks: events, signals, and entries in its books."""

import logging
from collections.abc import Callable
from typing import Any, Final

from billiard.einfo import ExceptionInfo
from celery import signals, states

from taskflow.execution.outcome import Completed, Ended, Outcome, Retried
from taskflow.worker.attempt.failure_lines import log_failure
from taskflow.worker.attempt.shown import show
from taskflow.worker.coroutines.books import Books
from taskflow.worker.coroutines.request import CoroutineRequest, enter
from taskflow.worker.coroutines.taken_ticket import TakenTicket

log = logging.getLogger("taskflow.node")
_GROUP: Final = "task"
_SHOWN: Final = 1024
"""Characters of an output that events have, as in Celery."""


class CeleryEvents:
    """The ``RunObserver`` of an asyncio node. Whatever goes wrong here is logged, because the run has its outcome.

    Signals are sent in the loop's thread: a receiver that blocks stops every run of the node.
    """

    def __init__(self) -> None:
        self._call_on_hub: Callable[[Callable[[], None]], None] | None = None
        self._dispatcher: Any = None
        self.books = Books()

    def connect(self, call_on_hub: Callable[[Callable[[], None]], None], dispatcher: Any) -> None:
        """Send from now on through a consumer's event dispatcher, on the hub's thread."""
        self._call_on_hub, self._dispatcher = call_on_hub, dispatcher

    def on_take(self, ticket: TakenTicket, consumer: Any) -> None:
        """Note a ticket that was taken. On the hub's thread."""
        self.books.take(ticket)
        if signals.task_received.receivers:
            signals.task_received.send(sender=consumer, request=ticket.request)
        if self._has_listener():
            request: CoroutineRequest = ticket.request
            fields = {"args": request.argsrepr, "kwargs": request.kwargsrepr, "root_id": request.root_id}
            self._publish("task-received", ticket, fields | {"name": request.name})

    def on_start(self, ticket: TakenTicket) -> None:
        """Make the ticket's request Celery's current one, and send that the run starts."""
        enter(ticket)
        if signals.task_prerun.receivers:
            task = ticket.request.task
            signals.task_prerun.send(sender=task, task=task, **_call_of(ticket.request))
        self._send("task-started", ticket)

    def on_end(self, ticket: TakenTicket, outcome: Outcome, seconds: float) -> None:
        """Send the outcome of an attempt."""
        try:
            match outcome:
                case Completed(output, value):
                    if self._has_listener():
                        shown = output[:_SHOWN].decode("utf-8", "replace")
                        self._send("task-succeeded", ticket, result=shown, runtime=seconds)
                    if signals.task_success.receivers or signals.task_postrun.receivers:
                        request: CoroutineRequest = ticket.request
                        request.state, request.result = states.SUCCESS, value
                        signals.task_success.send(sender=request.task, result=value, runtime=seconds)
                case Retried(error) | Ended(error):
                    log_failure(ticket.definition.id, ticket.run_id, outcome)
                    kind = "task-retried" if isinstance(outcome, Retried) else "task-failed"
                    exception = f"{error.type}: {error.message}"
                    self._send(kind, ticket, exception=exception, traceback=error.traceback)
                    _send_failure(ticket.request, outcome)
        except Exception:
            log.exception("event.unsent: of run %s", ticket.run_id)

    def on_drop(self, ticket: TakenTicket, *, is_canceled: bool = False) -> None:
        """Send that a ticket was stale, or that its run's code was stopped."""
        if ticket.has_request and ticket.request.is_terminated:  # Celery has sent it already
            return
        self._send("task-revoked", ticket, terminated=True, signum=None, expired=False)
        if is_canceled and signals.task_revoked.receivers:
            request: CoroutineRequest = ticket.request
            request.state = states.REVOKED
            context = request.context
            signals.task_revoked.send(sender=request.task, request=context, terminated=True, signum=None, expired=False)

    def on_broken(self, ticket: TakenTicket, error: Exception) -> None:
        """Send that something of ours failed around a run's code."""
        if signals.task_internal_error.receivers:
            request: CoroutineRequest = ticket.request
            signals.task_internal_error.send(
                sender=request.task,
                request=request.context,
                exception=error,
                traceback=error.__traceback__,
                einfo=_info(error),
                **_call_of(request),
            )

    def on_leave(self, ticket: TakenTicket) -> None:
        """Send that a request that has started has ended."""
        if ticket.started_at is not None and signals.task_postrun.receivers:
            request: CoroutineRequest = ticket.request
            signals.task_postrun.send(
                sender=request.task,
                task=request.task,
                retval=request.result,
                state=request.state,
                **_call_of(request),
            )
        self.books.leave(ticket)

    def _has_listener(self) -> bool:
        dispatcher = self._dispatcher
        return bool(dispatcher and dispatcher.enabled and (not dispatcher.groups or _GROUP in dispatcher.groups))

    def _send(self, kind: str, ticket: TakenTicket, **fields: Any) -> None:
        if self._call_on_hub is not None and self._has_listener():
            self._call_on_hub(lambda: self._publish(kind, ticket, fields))

    def _publish(self, kind: str, ticket: TakenTicket, fields: dict[str, Any]) -> None:
        """Send one event. On the hub's thread, which an error would end."""
        try:
            self._dispatcher.send(kind, uuid=ticket.run_id, **fields)
        except Exception as error:  # noqa: BLE001 - an error here would end the hub's thread
            log.warning("event.unsent: %s: %s", kind, error)


def _send_failure(request: CoroutineRequest, outcome: Outcome) -> None:
    """Send a retry or a failure with the exceptions that Celery's tracer would have."""
    try:
        show(outcome)
    except Exception as error:  # noqa: BLE001 - raised to be sent
        is_retry = isinstance(outcome, Retried)
        request.state, request.result = (states.RETRY if is_retry else states.FAILURE), error
        if is_retry and signals.task_retry.receivers:
            context = request.context
            signals.task_retry.send(sender=request.task, request=context, reason=error, einfo=_info(error))
        elif not is_retry and signals.task_failure.receivers:
            signals.task_failure.send(
                sender=request.task,
                exception=error,
                traceback=error.__traceback__,
                einfo=_info(error),
                **_call_of(request),
            )


def _call_of(request: CoroutineRequest) -> dict[str, Any]:
    return {"task_id": request.id, "args": request.args, "kwargs": request.kwargs}


def _info(error: BaseException) -> Any:
    return ExceptionInfo((type(error), error, error.__traceback__))
