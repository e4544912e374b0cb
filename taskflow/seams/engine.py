"""What the verbs of tasks and handles delegate to. The application binds it; nothing here does I/O."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from taskflow.definition.calls.run_filter import RunFilter, RunPage
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.errors import TaskflowError
from taskflow.models import QueueState, Run, RunStatus
from taskflow.seams.batches import BatchEngine
from taskflow.seams.run_actions import RunActions
from taskflow.seams.streams import StreamEngine
from taskflow.seams.tokens import TokenEngine
from taskflow.seams.waits import Waiter

if TYPE_CHECKING:
    from taskflow.verbs.task import Task

QueueCommand = Literal["pause", "resume", "override", "reset"]


class QueueEngine(Protocol):
    """The verbs of ``queues``, each with its async twin."""

    def list_queues(self) -> list[QueueState]:
        """Return every queue, by name."""
        ...

    async def alist_queues(self) -> list[QueueState]:
        """Return every queue, by name."""
        ...

    def retrieve_queue(self, queue: str) -> QueueState:
        """Return one queue."""
        ...

    async def aretrieve_queue(self, queue: str) -> QueueState:
        """Return one queue."""
        ...

    def control_queue(self, queue: str, command: QueueCommand, limit: int | None = None) -> None:
        """Change one queue."""
        ...

    async def acontrol_queue(self, queue: str, command: QueueCommand, limit: int | None = None) -> None:
        """Change one queue."""
        ...

    def control_environment(self, command: Literal["pause", "resume"]) -> None:
        """Pause or resume everything."""
        ...

    async def acontrol_environment(self, command: Literal["pause", "resume"]) -> None:
        """Pause or resume everything."""
        ...

    def retrieve_environment(self) -> QueueState:
        """Return the environment's state."""
        ...

    async def aretrieve_environment(self) -> QueueState:
        """Return the environment's state."""
        ...


class Engine(Protocol):
    """The verbs, each with its async twin. Payloads are checked and written by the engine; outputs are JSON.

    ``Task[Any, Any]``: tasks are invariant in what they take and return, and the engine takes all of them.
    """

    @property
    def queues(self) -> QueueEngine:
        """The verbs of ``queues``."""
        ...

    @property
    def actions(self) -> RunActions:
        """The further verbs of runs."""
        ...

    @property
    def streams(self) -> StreamEngine:
        """The verbs of streams."""
        ...

    @property
    def batches(self) -> BatchEngine:
        """The verbs of batches."""
        ...

    @property
    def tokens(self) -> TokenEngine:
        """The verbs of tokens."""
        ...

    def find_task(self, task_id: str) -> "Task[Any, Any]":
        """Return the task declared under an id."""
        ...

    def trigger(
        self, task: "Task[Any, Any]", payload: object, options: TriggerOptions, waiter: Waiter | None = None
    ) -> str:
        """Make a run and return its id. Its end completes the waiter's item."""
        ...

    async def atrigger(
        self, task: "Task[Any, Any]", payload: object, options: TriggerOptions, waiter: Waiter | None = None
    ) -> str:
        """Make a run and return its id. Its end completes the waiter's item."""
        ...

    def trigger_id(self, task_id: str, payload: object, options: TriggerOptions) -> str:
        """Make a run of the task declared under an id, and return the run's id."""
        ...

    async def atrigger_id(self, task_id: str, payload: object, options: TriggerOptions) -> str:
        """Make a run of the task declared under an id, and return the run's id."""
        ...

    def load_value(self, stored: bytes) -> bytes:
        """Return the JSON of a stored value, be it large or not."""
        ...

    async def aload_value(self, stored: bytes) -> bytes:
        """Return the JSON of a stored value, be it large or not."""
        ...

    def run_status(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        ...

    async def arun_status(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        ...

    def retrieve_run(self, run_id: str) -> Run:
        """Return a run's record."""
        ...

    async def aretrieve_run(self, run_id: str) -> Run:
        """Return a run's record."""
        ...

    def list_runs(self, limit: int, wanted: RunFilter = ..., cursor: str | None = None) -> RunPage:
        """Return a page of runs, newest first."""
        ...

    async def alist_runs(self, limit: int, wanted: RunFilter = ..., cursor: str | None = None) -> RunPage:
        """Return a page of runs, newest first."""
        ...

    def cancel_run(self, run_id: str) -> bool:
        """Cancel a run. Returns False when it had ended."""
        ...

    async def acancel_run(self, run_id: str) -> bool:
        """Cancel a run. Returns False when it had ended."""
        ...

    def wait_output(self, run_id: str, timeout: timedelta | None) -> bytes:
        """Return a run's output JSON once it has completed."""
        ...

    async def await_output(self, run_id: str, timeout: timedelta | None) -> bytes:
        """Return a run's output JSON once it has completed."""
        ...


def _unbound() -> Engine:
    raise TaskflowError(
        "No application is bound to the tasks. Import them through `taskflow`: from taskflow import task."
    )


class _Binding:
    def __init__(self) -> None:
        self.current: Callable[[], Engine] = _unbound


_binding: Final = _Binding()


def bind(current: Callable[[], Engine]) -> None:
    """Say how the engine of the current application is found."""
    _binding.current = current


def engine() -> Engine:
    """Return the engine of the current application.

    Raises:
        TaskflowError: No application is bound.
    """
    return _binding.current()
