"""The ticket of a run that the asyncio pool is to start, and the observer of its outcome."""

import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from taskflow.definition.task_definition import TaskDefinition
from taskflow.execution.outcome import Outcome

_making: Final = threading.RLock()  # the handler of a signal may read a request


class TakenTicket:
    """One ticket that the node took.

    Args:
        definition: The task of its run.
        on_done: Called in the loop's thread when the ticket may be acknowledged. None when it is already.
        message: The message of kombu that brought it. None without Celery.
        make_request: Makes Celery's request of this ticket, a ``CoroutineRequest``.

    Attributes:
        started_at: When the run's code began here, in seconds since 1970. None before.
    """

    __slots__ = ("_make_request", "_request", "definition", "message", "on_done", "reservation", "run_id", "started_at")

    def __init__(
        self,
        definition: TaskDefinition,
        run_id: str,
        reservation: int,
        on_done: Callable[[], object] | None = None,
        message: Any = None,
        make_request: Callable[["TakenTicket"], Any] | None = None,
    ) -> None:
        self.definition, self.run_id, self.reservation = definition, run_id, reservation
        self.on_done, self.message = on_done, message
        self.started_at: float | None = None
        self._make_request = make_request
        self._request: Any = None

    @property
    def request(self) -> Any:
        """The ticket as Celery's request, made when it is first read: that takes a tenth of a short run.

        From any thread.
        """
        if self._request is None and self._make_request is not None:
            with _making:
                if self._request is None:
                    self._request = self._make_request(self)
        return self._request

    @property
    def has_request(self) -> bool:
        """Whether somebody has read the request."""
        return self._request is not None


class RunObserver(Protocol):
    """Follows the runs of the pool, on the loop's thread; ``CeleryEvents``. Its methods raise nothing."""

    def on_start(self, ticket: TakenTicket) -> None:
        """Note that a run was claimed, before its code begins. In the context that the code inherits."""
        ...

    def on_end(self, ticket: TakenTicket, outcome: Outcome, seconds: float) -> None:
        """Note an outcome that was written."""
        ...

    def on_drop(self, ticket: TakenTicket, *, is_canceled: bool = False) -> None:
        """Note that a ticket was stale, or that a run's code was left without an outcome."""
        ...

    def on_broken(self, ticket: TakenTicket, error: Exception) -> None:
        """Note that something of ours failed around a run's code."""
        ...

    def on_leave(self, ticket: TakenTicket) -> None:
        """Note that the node has done with a ticket: the last call for each, in the context of ``on_start``."""
        ...
