"""Errors of the code of an executing run: metadata, tags, streams, waits and tokens."""

from datetime import timedelta

from taskflow.errors.base import TaskflowError, as_it_is, shown
from taskflow.errors.calling import TriggerOptionError


class OutsideRunError(TaskflowError, RuntimeError):
    """A verb that concerns the executing run was called where none executes."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        super().__init__(
            f"{verb}() was called where no run executes. Call it in a task's function, or in what that calls while the "
            "run's attempt goes on."
        )


class RunUpdateError(TaskflowError, ValueError):
    """A run cannot have this metadata or tag. Nothing of it was written."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(f"{what}. {remedy}")


class MetadataTooLargeError(RunUpdateError, TriggerOptionError):
    """The metadata of a run, new or changed, would be over its limit. Nothing of it was written.

    Attributes:
        size: Bytes of its JSON.
        run_id: The run that was to change; None at a trigger.
    """

    def __init__(self, size: int, limit: int, run_id: str | None = None) -> None:
        self.size, self.limit, self.run_id = size, limit, run_id
        self.option, self.value = "metadata", "..."
        of_run = f" of run {run_id}" if run_id else ""
        what = f"The metadata{of_run} would be {size:,} bytes of JSON and the limit is {limit:,}"
        self.what, self.remedy = what, "Store the data elsewhere and keep its address."
        TaskflowError.__init__(self, f"{self.what}. {self.remedy}")


class StreamError(TaskflowError, ValueError):
    """A run cannot have this stream, or the stream cannot have this item. Nothing of it was written."""

    def __init__(self, name: str, what: str, remedy: str) -> None:
        self.name, self.what, self.remedy = name, what, remedy
        super().__init__(f"Stream {name!r} {what}. {remedy}")


class StreamClosedError(StreamError):
    """Nothing can be appended or sent any more: the run has ended, or the stream was closed."""

    def __init__(self, run_id: str, name: str, why: str) -> None:
        self.run_id, self.why = run_id, why
        super().__init__(name, f"of run {run_id} takes nothing any more: {why}", "Look at the run before you append.")


class StreamTimeoutError(TaskflowError, TimeoutError):
    """No item came within the time given. The run goes on; read again from ``index``."""

    def __init__(self, run_id: str, name: str, index: int, timeout: timedelta) -> None:
        self.run_id, self.name, self.index, self.timeout = run_id, name, index, timeout
        super().__init__(
            f"Item {index:,} of stream {name!r} of run {run_id} did not come within {timeout.total_seconds():g} s. "
            f"Read again from index {index}."
        )


class WaitError(TaskflowError, ValueError):
    """A wait is not possible. The message has a remedy."""


class WaitTimeoutError(WaitError, TimeoutError):
    """A token was not completed before its timeout."""

    def __init__(self, token_id: str) -> None:
        self.token_id = token_id
        super().__init__(
            f"Token {token_id} timed out: nobody completed it in time. Make another, or let it wait longer."
        )


class TokenDataError(WaitError):
    """The value that completes a token is not JSON, not of the token's type, or too large. The text shows no value."""

    def __init__(self, token_id: str, reason: str) -> None:
        self.token_id, self.reason = token_id, reason
        super().__init__(f"What completes token {token_id} does not fit: {reason}")


class TokenNotFoundError(TaskflowError, LookupError):
    """No token has that id. It was never made, or it was done longer ago than the retention time."""

    def __init__(self, token_id: str) -> None:
        self.token_id = token_id
        super().__init__(
            f"No token {shown(token_id)}. It was never made in this environment, or it was done longer ago than "
            "TASKFLOW_RETENTION."
        )


class JournalError(TaskflowError):
    """A durable run's journal has another call than its code makes, or cannot keep a result. The run ends FAILED."""


class StepFailedError(TaskflowError):
    """A step of a durable run failed before this replay, with an error whose class has an ``__init__`` of its own.

    Such an error cannot be made again, so this one stands for it.

    Attributes:
        type: The name of the exception's class.
    """

    def __init__(self, step: str, type: str, message: str) -> None:
        self.step, self.type, self.message = step, type, message
        super().__init__(f"Step {step!r} raised {type}: {message}")


class Suspended(BaseException):
    """Ends the code of a durable run that waits without a process from now on. Let it pass; use ``finally``."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(
            f"Run {run_id} waits without a process: this code is left, and starts again when the wait is over. It can "
            "do no further steps and waits; let this exception pass."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return as_it_is(self)
