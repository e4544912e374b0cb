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


class BulkActionNotFoundError(TaskflowError, LookupError):
    """No bulk action over HTTP has that id, or its record has expired."""

    def __init__(self, action_id: str) -> None:
        self.action_id = action_id
        super().__init__(
            f"No bulk action {id_shown(action_id)} in this environment. They are kept for TASKFLOW_RETENTION."
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


class ErrorGroupNotFoundError(TaskflowError, LookupError):
    """No group of errors has that id, or its last failure is older than the history keeps runs."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        super().__init__(f"No group of errors {shown(group_id)} in this environment. See `taskflow errors list`.")


class NodeNotFoundError(TaskflowError, LookupError):
    """No node of that id is up."""

    def __init__(self, node_id: str) -> None:
        self.node_id = node_id
        super().__init__(f"No node {shown(node_id)} is up in this environment. See `taskflow workers list`.")


class ApiKeyNotFoundError(TaskflowError, LookupError):
    """No API key has that id."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(f"No API key {id_shown(key_id)} in this environment. See `taskflow keys list`.")


class UserError(TaskflowError, ValueError):
    """A user of the dashboard is unknown, is there already, or can't have that name, role or password."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}. {remedy}")


class ApiKeyError(TaskflowError, PermissionError):
    """A request came with an API key that is not valid.

    Attributes:
        key_id: The id of an expired key, "" for an unknown one.
    """

    def __init__(self, key_id: str = "", *, is_expired: bool = False) -> None:
        self.key_id, self.is_expired = key_id, is_expired
        super().__init__(
            f"The API key {id_shown(key_id)} has expired. Make another one with `taskflow keys create`."
            if is_expired
            else "No such API key in this environment. Check the key and the server's address; `taskflow keys list` "
            "shows the valid ones."
        )


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
