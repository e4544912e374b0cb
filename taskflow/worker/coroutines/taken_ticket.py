"""The ticket of a run that the asyncio pool is to start, and the observer of its outcome."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from taskflow.definition.task_definition import TaskDefinition
from taskflow.execution.outcome import Outcome


@dataclass(frozen=True, slots=True)
class TakenTicket:
    """One ticket that the node took.

    ``on_done`` is called in the loop's thread when it may be acknowledged. ``request`` is the ticket in Celery's books,
    a ``CoroutineRequest``; None without Celery.
    """

    definition: TaskDefinition
    run_id: str
    reservation: int
    on_done: Callable[[], object] | None = field(default=None, compare=False)
    request: Any = field(default=None, compare=False)


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
