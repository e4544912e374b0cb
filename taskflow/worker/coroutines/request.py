"""A coroutine's ticket as Celery's request, and Celery's current task and request in the code of a coroutine."""

import os
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, cast

from celery import Celery, _state
from celery.utils.functional import noop
from celery.worker.request import Request

from taskflow.worker.children.run_task import RunTask
from taskflow.worker.coroutines.taken_ticket import TakenTicket

_current: Final[ContextVar[TakenTicket | None]] = ContextVar("taskflow_celery_request", default=None)
_TERM: Final = "TERM"
_task_stack: Final = cast("Any", _state)._task_stack
if TYPE_CHECKING:

    class _Stack:
        """Celery's stack, by threads."""

        @property
        def top(self) -> Any: ...

        @property
        def stack(self) -> Sequence[Any]: ...

else:
    _Stack = type(_task_stack)


class CoroutineRequest(Request):
    """The request of a run that executes as a coroutine: ``inspect active`` lists it, ``revoke`` ends it.

    Args:
        ticket: The ticket whose request this is.
    """

    def __init__(self, ticket: TakenTicket, *, app: Celery, task: RunTask, consumer: Any) -> None:
        on_done = ticket.on_done
        super().__init__(
            ticket.message,
            on_ack=(lambda *_: on_done()) if on_done is not None else noop,
            app=app,
            task=task,
            hostname=consumer.hostname,
            eventer=consumer.event_dispatcher,
        )
        self._ticket = ticket
        self.acknowledged = on_done is None
        cast("Any", self).worker_pid = os.getpid()

    result: object = None
    """The return value or exception of the attempt, and its state, for ``task_postrun``."""
    state = "IGNORED"
    is_terminated = False

    @property
    def time_start(self) -> float | None:  # type: ignore[override] # Celery sets it once, as our ticket does
        """The instant at which the run's code began, in seconds since 1970."""
        return self._ticket.started_at

    @property
    def context(self) -> Any:
        """The value of ``task.request``. Made when it is first read."""
        return cast("Any", self)._context

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """Do nothing: Celery's worker ends, and its node interrupts the run."""

    def terminate(self, pool: Any, signal: Any = None) -> None:
        """Cancel the run in the store, which has its coroutine canceled here. On the hub's thread."""
        self.is_terminated = True
        cast("Any", self)._announce_revoked("terminated", True, signal or _TERM, False)


def enter(ticket: TakenTicket) -> None:
    """Make a ticket's request the current one of the calling context, and of the coroutines that it starts."""
    ticket.started_at = time.time()
    _current.set(ticket)


def show_coroutines(app: Celery) -> None:
    """Let Celery's current task, and the request of each task, be those of the calling coroutine.

    Celery keeps both in stacks of a thread, and all coroutines of a node share one.
    """
    _task_stack.__class__ = _TaskStack
    for task in app.tasks.values():
        if isinstance(task, RunTask):
            cast("Any", type(task)).request_stack = _RequestStack(task)


class _TaskStack(_Stack):
    """Celery's stack of current tasks. Below what a thread has pushed stands the task of the calling coroutine."""

    @property
    def top(self) -> Any:
        """The current task."""
        own = super().top
        return own if own is not None or (ticket := _current.get()) is None else ticket.request.task

    @property
    def stack(self) -> Sequence[Any]:
        """The current task behind those that called it."""
        ticket, own = _current.get(), super().stack
        return own if ticket is None else [ticket.request.task, *own]


class _RequestStack(_Stack):
    """The stack of one task's requests."""

    def __init__(self, task: RunTask) -> None:
        super().__init__()
        self._task = task

    @property
    def top(self) -> Any:
        """The current request."""
        own = super().top
        if own is not None or (ticket := _current.get()) is None or ticket.definition is not self._task.definition:
            return own
        return ticket.request.context
