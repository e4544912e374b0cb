"""A coroutine's ticket as Celery's request, and Celery's current task and request in the code of a coroutine."""

import os
import threading
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, cast

from celery import Celery, _state
from celery.worker import state
from celery.worker.request import Request

from taskflow.worker.children.run_task import RunTask

_current: Final[ContextVar["CoroutineRequest | None"]] = ContextVar("taskflow_celery_request", default=None)
_TERM: Final = "TERM"
_making: Final = threading.RLock()
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

    Celery's part is made when it is first read, because that takes a tenth of a short run and most runs never need it.

    Args:
        is_acknowledged: Whether the message is acknowledged already.
        options: Of Celery's request.
    """

    def __init__(self, message: Any, *, is_acknowledged: bool, **options: Any) -> None:
        self._made_of = message, options
        self.acknowledged = is_acknowledged

    def __getattr__(self, name: str) -> Any:
        with _making:  # the loop's thread and the hub's may ask at once
            made_of = self.__dict__.pop("_made_of", None)
            if made_of is not None:
                message, options = made_of
                super().__init__(message, **options)
        return object.__getattribute__(self, name)

    has_started = False
    result: object = None
    """The return value or exception of the attempt, and its state, for ``task_postrun``."""
    state = "IGNORED"
    is_terminated = False

    @property
    def context(self) -> Any:
        """The value of ``task.request``. Made when it is first read, because most runs never read it."""
        return cast("Any", self)._context

    def enter(self) -> None:
        """Make this request the current one of the calling context, and of the coroutines that it starts."""
        self.has_started = True
        cast("Any", self).time_start = time.time()
        _current.set(self)

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """Do nothing: Celery's worker ends, and its node interrupts the run."""

    def terminate(self, pool: Any, signal: Any = None) -> None:
        """Cancel the run in the store, which has its coroutine canceled here. On the hub's thread."""
        self.is_terminated = True
        cast("Any", self)._announce_revoked("terminated", True, signal or _TERM, False)


def enter_books(run_id: str, task_id: str, request: CoroutineRequest) -> None:
    """Enter a request in Celery's books of what this worker executes, as ``task_accepted``. On the hub's thread."""
    cast("Any", request).worker_pid = os.getpid()
    state.requests[run_id] = request
    state.active_requests.add(request)
    state.total_count[task_id] += 1
    state.all_total_count[0] += 1


def leave_books(run_id: str, request: CoroutineRequest) -> None:
    """Take a request out of the books, unless its run has come again since. On the hub's thread."""
    if state.requests.get(run_id) is request:
        del state.requests[run_id]
    state.active_requests.discard(request)


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
        return own if own is not None or (request := _current.get()) is None else request.task

    @property
    def stack(self) -> Sequence[Any]:
        """The current task behind those that called it."""
        request, own = _current.get(), super().stack
        return own if request is None else [request.task, *own]


class _RequestStack(_Stack):
    """The stack of one task's requests."""

    def __init__(self, task: RunTask) -> None:
        super().__init__()
        self._task = task

    @property
    def top(self) -> Any:
        """The current request."""
        own = super().top
        if own is not None or (request := _current.get()) is None or request.task is not self._task:
            return own
        return request.context
