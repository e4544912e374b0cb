"""How a run ended, as a value: nothing is raised until ``unwrap`` is asked."""

from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from taskflow.errors import RunCanceledError, RunFailedError
from taskflow.models import RunError, RunStatus

ResultT_co = TypeVar("ResultT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class TaskResult(Generic[ResultT_co]):
    """How a run ended. ``output`` is None unless it completed, ``error`` is None if it did."""

    run_id: str
    status: RunStatus
    output: ResultT_co | None = None
    error: RunError | None = None

    @property
    def ok(self) -> bool:
        """Whether the run completed."""
        return self.status is RunStatus.COMPLETED

    def unwrap(self) -> ResultT_co:
        """Return the output.

        Raises:
            RunFailedError: The run did not complete; RunCanceledError when it was canceled.
        """
        if not self.ok:
            raise run_failed(self.run_id, self.status, self.error)
        return cast("ResultT_co", self.output)


def run_failed(run_id: str, status: RunStatus, error: RunError | None) -> RunFailedError:
    """Return the exception that stands for a run's stored error."""
    kind = RunCanceledError if status is RunStatus.CANCELED else RunFailedError
    told = error or RunError(status.value, "")
    return kind(run_id, status.value, told.type, told.message, told.traceback)
