"""What the asyncio pool is told to start, and whom it tells what became of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from taskflow.definition.task_definition import TaskDefinition
from taskflow.execution.outcome import Outcome


@dataclass(frozen=True, slots=True)
class TakenTicket:
    """One ticket that the node took: start this run. ``on_done`` is called in the loop's thread when that is over."""

    definition: TaskDefinition
    run_id: str
    reservation: int
    args: str = ""
    on_done: Callable[[], object] | None = field(default=None, compare=False)


class Watcher(Protocol):
    """Told on the loop's thread what becomes of runs: Celery's events and signals."""

    def started(self, ticket: TakenTicket) -> None: ...

    def ended(self, ticket: TakenTicket, outcome: Outcome, seconds: float) -> None: ...

    def dropped(self, ticket: TakenTicket) -> None: ...
