"""Errors of look-ups: there is no such run, batch or queue, or the run has ended in another way."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from taskflow.errors.base import TaskflowError, id_shown, shown

_CALLS_SHOWN: Final = 20


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


class NotResumableError(TaskflowError):
    """A run that was to go on from a step does not wait for other code."""

    def __init__(self, run_id: str, status: str) -> None:
        self.run_id, self.status = run_id, status
        super().__init__(
            f"Run {id_shown(run_id)} was not resumed: it is {status}, and only a durable run can be that waits for the "
            "code of its journal (PENDING_VERSION). Once it has ended: "
            f"taskflow runs replay {id_shown(run_id)} --keep-journal"
        )


class JournalNotKeptError(TaskflowError, LookupError):
    """A run has no journal to go on from."""

    def __init__(self, run_id: str, status: str) -> None:
        self.run_id, self.status = run_id, status
        super().__init__(
            f"There is no journal of run {id_shown(run_id)}, which is {status}. The store keeps that of a durable run "
            "until the run has completed; of one that ends otherwise as long as its record. Replay the run without it."
        )


class StepNotFoundError(TaskflowError, LookupError):
    """A run's journal has no such call, or several of that name.

    Attributes:
        known: The calls that it has, each with its key.
    """

    def __init__(self, run_id: str, step: str, known: Sequence[str], *, is_ambiguous: bool = False) -> None:
        self.run_id, self.step, self.known = run_id, step, tuple(known)
        calls = ", ".join(known[:_CALLS_SHOWN]) + (", ..." if len(known) > _CALLS_SHOWN else "")
        found = "several calls" if is_ambiguous else "no call"
        super().__init__(
            f"The journal of run {id_shown(run_id)} has {found} {shown(step)}. Name one by its key: "
            f"{calls or 'it is empty'}."
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
