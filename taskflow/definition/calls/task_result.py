"""The result of a run as a value: nothing is raised before ``unwrap`` is called."""

from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from taskflow.errors import RunCanceledError, RunFailedError
from taskflow.models import RunError, RunStatus

ResultT_co = TypeVar("ResultT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class TaskResult(Generic[ResultT_co]):
    """The result of a run. ``output`` is None unless the run completed, ``error`` is None if it did."""

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
    error = error or RunError(status.value, "")
    return kind(run_id, status.value, error.type, error.message, error.traceback)
