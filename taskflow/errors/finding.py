"""Errors of look-ups: there is no such run, batch or queue, or the run has ended in another way."""

from datetime import timedelta

from taskflow.errors.base import TaskflowError, id_shown, shown


class RunNotFoundError(TaskflowError, LookupError):
    """No run has that id. It was never made, or it finished longer ago than the retention time."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(
            f"No run {id_shown(run_id)} in this environment. Check the id and TASKFLOW_ENVIRONMENT; finished runs are "
            "kept for TASKFLOW_RETENTION."
        )


class BatchNotFoundError(TaskflowError, LookupError):
    """No batch has that id. It was never made, or it was made longer ago than the retention time."""

    def __init__(self, batch_id: str) -> None:
        self.batch_id = batch_id
        super().__init__(
            f"No batch {id_shown(batch_id)} in this environment. Check the id and TASKFLOW_ENVIRONMENT; batches are "
            "kept for TASKFLOW_RETENTION."
        )


class RunNotDelayedError(TaskflowError):
    """A run that was to be rescheduled is not DELAYED."""

    def __init__(self, run_id: str, status: str) -> None:
        self.run_id, self.status = run_id, status
        super().__init__(
            f"Run {run_id} was not rescheduled: it is {status}, and only a DELAYED run can be. Trigger another one."
        )


class QueueNotFoundError(TaskflowError, LookupError):
    """No queue of that name is declared, and no run has used it."""

    def __init__(self, queue: str, remedy: str = "See `taskflow queues list`.") -> None:
        self.queue, self.remedy = queue, remedy
        super().__init__(f"No queue {shown(queue)} in this environment. {remedy}")


class RunFailedError(TaskflowError):
    """A caller asked for the result of a run that did not complete.

    Attributes:
        run_id: The run.
        status: Its final status.
        type: Class name of the original error.
        message: Its message.
        traceback: Its traceback as text, empty when there was none.
    """

    def __init__(self, run_id: str, status: str, type: str = "", message: str = "", traceback: str = "") -> None:
        self.run_id, self.status, self.type, self.message, self.traceback = run_id, status, type, message, traceback
        original = f"\n\n{traceback.rstrip()}" if traceback else ""
        super().__init__(f"Run {run_id} ended {status}: {type}: {message}{original}")


class RunCanceledError(RunFailedError):
    """A caller asked for the result of a run that was canceled."""


class ResultTimeoutError(TaskflowError, TimeoutError):
    """The run did not finish within the time given. It goes on; ask again."""

    def __init__(self, run_id: str, timeout: timedelta, status: str) -> None:
        self.run_id, self.timeout, self.status = run_id, timeout, status
        super().__init__(f"Run {run_id} did not finish within {timeout.total_seconds():g} s; it is {status}.")
