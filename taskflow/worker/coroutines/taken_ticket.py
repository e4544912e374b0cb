"""The ticket of a run that the asyncio pool is to start, and the observer of its outcome."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from taskflow.definition.task_definition import TaskDefinition
from taskflow.execution.outcome import Outcome


@dataclass(frozen=True, slots=True)
class TakenTicket:
    """One ticket that the node took. ``on_done`` is called in the loop's thread when it may be acknowledged."""

    definition: TaskDefinition
    run_id: str
    reservation: int
    args: str = ""
    on_done: Callable[[], object] | None = field(default=None, compare=False)


class RunObserver(Protocol):
    """Follows the runs of the pool, on the loop's thread; ``CeleryEvents``."""

    def on_start(self, ticket: TakenTicket) -> None: ...

    def on_end(self, ticket: TakenTicket, outcome: Outcome, seconds: float) -> None: ...

    def on_drop(self, ticket: TakenTicket) -> None: ...
