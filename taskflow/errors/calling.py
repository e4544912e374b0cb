"""Errors of callers: the request is not possible, and nothing was written."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from taskflow.errors.base import TaskflowError, shown

if TYPE_CHECKING:
    from taskflow.models import BatchError


class PayloadError(TaskflowError, ValueError):
    """The payload does not fit the task's annotation. Nothing was written."""

    def __init__(self, task_id: str, reason: str) -> None:
        self.task_id, self.reason = task_id, reason
        super().__init__(f"The payload does not fit task {task_id!r}: {reason}")


class PayloadTooLargeError(PayloadError):
    """The payload's JSON is larger than ``payload_limit``. Nothing was written."""

    def __init__(self, task_id: str, size: int, limit: int) -> None:
        super().__init__(
            task_id,
            f"its JSON is {size:,} bytes and the limit is {limit:,}. Store the data elsewhere and send its address, "
            "or raise TASKFLOW_PAYLOAD_LIMIT.",
        )


class TriggerOptionError(TaskflowError, ValueError):
    """An option of ``trigger`` is wrong. Nothing was written."""

    def __init__(self, option: str, value: object, remedy: str) -> None:
        self.option, self.value, self.remedy = option, value, remedy
        super().__init__(f"trigger({option}={shown(value)}) is not possible. {remedy}")


class TaskNotFoundError(TaskflowError, LookupError):
    """No task of that id is declared in this process."""

    def __init__(self, task_id: str, remedy: str) -> None:
        self.task_id, self.remedy = task_id, remedy
        super().__init__(f"No task {task_id!r} is declared. {remedy}")


class BatchItemsError(TaskflowError, ValueError):
    """Items of an atomic batch are wrong. Nothing was written.

    Attributes:
        errors: The error of each wrong item, by index.
    """

    def __init__(self, errors: "Sequence[BatchError]", total: int) -> None:
        self.errors, self.total = tuple(errors), total
        shown = "; ".join(f"item {error.index}: {error.type}: {error.message}" for error in self.errors[:3])
        more = f"; and {len(self.errors) - 3:,} more" if len(self.errors) > 3 else ""
        super().__init__(
            f"{len(self.errors):,} of {total:,} items of an atomic batch are wrong, so that none was triggered. "
            f"{shown}{more}. Correct them, or leave atomic=True out to trigger the others."
        )


class UnstorableError(TaskflowError, ValueError):
    """A verb was given a text that the store cannot hold. Nothing of the call was written."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"The store cannot hold what was given: {reason}. Give text that UTF-8 can express, without lone "
            "surrogates."
        )


class RunFilterError(TaskflowError, ValueError):
    """A filter or the cursor of ``runs.list`` is not possible."""

    def __init__(self, option: str, value: object, remedy: str) -> None:
        self.option, self.value, self.remedy = option, value, remedy
        super().__init__(f"runs.list({option}={shown(value)}) is not possible. {remedy}")


class EagerModeError(TaskflowError, RuntimeError):
    """Celery's eager mode was to execute a task in place. Nothing was written."""

    def __init__(self, task_id: str, how: str) -> None:
        self.task_id, self.how = task_id, how
        super().__init__(
            f"Task {task_id!r} can't be executed in place by Celery's eager mode ({how}): limits, retries, hooks and "
            "waits are those of a run on a worker. In a test, call the task as a function, with "
            "taskflow.testing.context() where it takes ctx; or leave the eager mode and start `taskflow worker`."
        )


class BlockingCallError(TaskflowError, RuntimeError):
    """A blocking verb was called in a thread with a running event loop."""

    def __init__(self, verb: str, twin: str) -> None:
        self.verb, self.twin = verb, twin
        super().__init__(f"{verb}() would block the running event loop. Use `await {twin}(...)` here.")
