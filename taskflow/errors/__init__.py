"""Every error and signal of taskflow.

::

    TaskflowError
    ├── DefinitionError            a task, queue, retry or machine is declared wrongly (at import)
    ├── SettingsError              a setting is missing or wrong (at start)
    ├── PayloadError               the payload does not fit the task; nothing was written
    │   └── PayloadTooLargeError
    ├── TriggerOptionError         an option of trigger() is wrong; nothing was written
    ├── TaskNotFoundError          no task of that id is declared
    ├── LocalNotSetError           a Local was read before it was set, or set outside of a run
    ├── OutputError                the returned value is not JSON (fails the attempt)
    ├── BatchItemsError            batch_trigger(atomic=True): items are wrong; nothing was written
    ├── StoreUnavailableError      Redis or Valkey did not answer
    │   └── BatchTriggerError      ... in the middle of a batch
    ├── StoreScriptError           a script failed on the server: a defect to report, which repeating does not mend
    ├── RunFilterError             runs.list(): a filter or cursor is wrong
    ├── HistoryUnavailableError    the history's database did not answer; runs go on
    ├── ObjectStoreError           a payload or output too large for the store was not written, or can't be read
    ├── BrokerUnavailableError     RabbitMQ did not confirm; the run exists and upkeep publishes it later
    ├── BlockingCallError          a blocking verb inside a running event loop
    ├── RunNotFoundError           no such run, or its record has expired
    ├── BatchNotFoundError         no such batch, or its record has expired
    ├── RunNotDelayedError         runs.reschedule(): the run is not DELAYED
    ├── QueueNotFoundError         no such queue
    ├── RunFailedError             handle.result(): the run did not complete
    │   └── RunCanceledError
    ├── ResultTimeoutError         handle.result(timeout): not finished in time
    ├── OutsideRunError            metadata, tags: called where no run executes
    ├── RunUpdateError             metadata, tags: a value that a run can't have
    ├── StreamError                streams: a name, an item or an amount that is not possible
    │   └── StreamClosedError      ... the run has ended, or the stream was closed
    ├── StreamTimeoutError         streams: no item came in time
    ├── WaitError                  wait: what is asked for is not possible
    │   ├── WaitTimeoutError       result.unwrap() of a token that nobody completed in time
    │   └── TokenDataError         what completes a token is not JSON, not of its type, or too large
    ├── TokenNotFoundError         no such token, or its record has expired
    ├── JournalError               a durable run's code does not fit its journal (fails the run)
    ├── StepFailedError            a durable run's step failed when it was done, before this replay
    ├── RunNotClaimableError       internal: a ticket that came twice or late
    ├── StaleClaimError            internal: a write under a claim that is over
    ├── NodeUnregisteredError      internal: the node's lease is over
    └── EmbeddedStoreError         the bundled Valkey could not be started

    AbortRun, RetryAfter, OutOfMemory      signals that task code raises
    Suspended                              leaves the code of a durable run that waits without a process
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from taskflow.errors.base import TaskflowError, shown
from taskflow.errors.running import (
    JournalError,
    OutsideRunError,
    RunUpdateError,
    StepFailedError,
    StreamClosedError,
    StreamError,
    StreamTimeoutError,
    Suspended,
    TokenDataError,
    TokenNotFoundError,
    WaitError,
    WaitTimeoutError,
)
from taskflow.errors.servers import (
    BatchTriggerError,
    BrokerUnavailableError,
    EmbeddedStoreError,
    HistoryUnavailableError,
    ObjectStoreError,
    StoreScriptError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from taskflow.models import BatchError

__all__ = [
    "AbortRun",
    "BatchItemsError",
    "BatchNotFoundError",
    "BatchTriggerError",
    "BlockingCallError",
    "BrokerUnavailableError",
    "DefinitionError",
    "EmbeddedStoreError",
    "HistoryUnavailableError",
    "JournalError",
    "LocalNotSetError",
    "NodeUnregisteredError",
    "ObjectStoreError",
    "OutOfMemory",
    "OutputError",
    "OutsideRunError",
    "PayloadError",
    "PayloadTooLargeError",
    "QueueNotFoundError",
    "ResultTimeoutError",
    "RetryAfter",
    "RunCanceledError",
    "RunFailedError",
    "RunFilterError",
    "RunNotClaimableError",
    "RunNotDelayedError",
    "RunNotFoundError",
    "RunUpdateError",
    "SettingsError",
    "StaleClaimError",
    "StepFailedError",
    "StoreScriptError",
    "StoreUnavailableError",
    "StreamClosedError",
    "StreamError",
    "StreamTimeoutError",
    "Suspended",
    "TaskNotFoundError",
    "TaskflowError",
    "TokenDataError",
    "TokenNotFoundError",
    "TriggerOptionError",
    "WaitError",
    "WaitTimeoutError",
]


class DefinitionError(TaskflowError):
    """A declaration is wrong. Raised at import, with the option, its value and what to write instead."""

    def __init__(self, what: str, *, option: str | None = None, value: object = None, remedy: str = "") -> None:
        self.what, self.option, self.value, self.remedy = what, option, value, remedy
        told = "" if option is None else f" ({option}={shown(value)})"
        super().__init__(f"{what}{told}. {remedy}".rstrip())

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_definition_error, (type(self), self.what, self.option, self.value, self.remedy)


def _rebuild_definition_error(
    kind: type[DefinitionError], what: str, option: str | None, value: object, remedy: str
) -> DefinitionError:
    return kind(what, option=option, value=value, remedy=remedy)


class SettingsError(TaskflowError):
    """A setting is missing or wrong."""


class PayloadError(TaskflowError, ValueError):
    """The payload does not fit the task's annotation. Nothing was written."""

    def __init__(self, task_id: str, reason: str) -> None:
        self.task_id, self.reason = task_id, reason
        super().__init__(f"The payload does not fit task {task_id!r}: {reason}")

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.task_id, self.reason)


class PayloadTooLargeError(PayloadError):
    """The payload's JSON is larger than ``payload_limit``. Nothing was written."""

    def __init__(self, task_id: str, size: int | str, limit: int = 0) -> None:
        if isinstance(size, str):  # unpickled: the reason is complete already
            super().__init__(task_id, size)
            return
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

    def __reduce__(self) -> tuple[type[Self], tuple[str, object, str]]:
        return type(self), (self.option, self.value, self.remedy)


class TaskNotFoundError(TaskflowError, LookupError):
    """No task of that id is declared in this process."""

    def __init__(self, task_id: str, remedy: str) -> None:
        self.task_id, self.remedy = task_id, remedy
        super().__init__(f"No task {task_id!r} is declared. {remedy}")

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.task_id, self.remedy)


class LocalNotSetError(TaskflowError, LookupError):
    """A ``Local`` has no value here."""

    def __init__(self, name: str, what: str) -> None:
        self.name, self.what = name, what
        super().__init__(
            f"Local {name!r} {what}. Set it in a middleware or in init; in a test, inside "
            "`with taskflow.testing.local_values():`."
        )

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.name, self.what)


class OutputError(TaskflowError, TypeError):
    """A task returned something that is not JSON. Fails the attempt."""


class BatchItemsError(TaskflowError, ValueError):
    """Items of an atomic batch are wrong. Nothing was written.

    Attributes:
        errors: What is wrong, by index.
    """

    def __init__(self, errors: "Sequence[BatchError]", total: int) -> None:
        self.errors, self.total = tuple(errors), total
        shown = "; ".join(f"item {error.index}: {error.type}: {error.message}" for error in self.errors[:3])
        more = f"; and {len(self.errors) - 3:,} more" if len(self.errors) > 3 else ""
        super().__init__(
            f"{len(self.errors):,} of {total:,} items of an atomic batch are wrong, so that none was triggered. "
            f"{shown}{more}. Correct them, or leave atomic=True out to trigger the others."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.errors, self.total)


class RunFilterError(TaskflowError, ValueError):
    """A filter or the cursor of ``runs.list`` is not possible."""

    def __init__(self, option: str, value: object, remedy: str) -> None:
        self.option, self.value, self.remedy = option, value, remedy
        super().__init__(f"runs.list({option}={shown(value)}) is not possible. {remedy}")

    def __reduce__(self) -> tuple[type[Self], tuple[str, object, str]]:
        return type(self), (self.option, self.value, self.remedy)


class BlockingCallError(TaskflowError, RuntimeError):
    """A blocking verb was called in a thread with a running event loop."""

    def __init__(self, verb: str, twin: str) -> None:
        self.verb, self.twin = verb, twin
        super().__init__(f"{verb}() would block the running event loop. Use `await {twin}(...)` here.")

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.verb, self.twin)


class RunNotFoundError(TaskflowError, LookupError):
    """No run of that id: never made, or finished longer ago than the retention time."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(
            f"No run {run_id!s:.200} in this environment. Check the id and TASKFLOW_ENVIRONMENT; finished runs are "
            "kept for TASKFLOW_RETENTION."
        )

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.run_id,)


class BatchNotFoundError(TaskflowError, LookupError):
    """No batch of that id: never made, or made longer ago than the retention time."""

    def __init__(self, batch_id: str) -> None:
        self.batch_id = batch_id
        super().__init__(
            f"No batch {batch_id} in this environment. Check the id and TASKFLOW_ENVIRONMENT; batches are kept for "
            "TASKFLOW_RETENTION."
        )

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.batch_id,)


class RunNotDelayedError(TaskflowError):
    """A run that was to be rescheduled is not DELAYED."""

    def __init__(self, run_id: str, status: str) -> None:
        self.run_id, self.status = run_id, status
        super().__init__(
            f"Run {run_id} was not rescheduled: it is {status}, and only a DELAYED run can be. Trigger another one."
        )

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.run_id, self.status)


class QueueNotFoundError(TaskflowError, LookupError):
    """No queue of that name is declared, and no run has used it."""

    def __init__(self, queue: str, remedy: str = "See `taskflow queues list`.") -> None:
        self.queue, self.remedy = queue, remedy
        super().__init__(f"No queue {queue!r} in this environment. {remedy}")

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.queue, self.remedy)


class RunFailedError(TaskflowError):
    """A run whose result was asked for did not complete.

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

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, str, str, str]]:
        return type(self), (self.run_id, self.status, self.type, self.message, self.traceback)


class RunCanceledError(RunFailedError):
    """A run whose result was asked for was canceled."""


class ResultTimeoutError(TaskflowError, TimeoutError):
    """The run did not finish within the time given. It goes on; ask again."""

    def __init__(self, run_id: str, timeout: timedelta, status: str) -> None:
        self.run_id, self.timeout, self.status = run_id, timeout, status
        super().__init__(f"Run {run_id} did not finish within {timeout.total_seconds():g} s; it is {status}.")

    def __reduce__(self) -> tuple[type[Self], tuple[str, timedelta, str]]:
        return type(self), (self.run_id, self.timeout, self.status)


class RunNotClaimableError(TaskflowError):
    """A node asked for a run that is not queued. Expected now and then: tickets arrive at least once."""

    def __init__(self, run_id: str, status: str) -> None:
        self.run_id, self.status = run_id, status
        super().__init__(
            f"Run {run_id} was not claimed: it is {status}, expected QUEUED under the ticket's reservation. The "
            "ticket probably came twice; it is dropped."
        )

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.run_id, self.status)


class StaleClaimError(TaskflowError):
    """A write came under a claim that is over: the run was taken from this node, canceled or finished."""

    def __init__(self, run_id: str, claim: int, status: str) -> None:
        self.run_id, self.claim, self.status = run_id, claim, status
        super().__init__(f"Claim {claim} of run {run_id} is over (the run is {status}); the write was refused.")

    def __reduce__(self) -> tuple[type[Self], tuple[str, int, str]]:
        return type(self), (self.run_id, self.claim, self.status)


class NodeUnregisteredError(TaskflowError):
    """A node's lease is over: it must stop everything it runs and register anew."""

    def __init__(self, node_id: str) -> None:
        self.node_id = node_id
        super().__init__(f"Node {node_id} holds no lease: it was not heard of for too long. It must register anew.")

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.node_id,)


class AbortRun(Exception):  # noqa: N818 - a signal, not a failure of taskflow
    """Raise in a task to end the run FAILED without another attempt."""


class RetryAfter(Exception):  # noqa: N818
    """Raise in a task to choose when the next attempt starts, instead of the backoff.

    Args:
        when: A duration from now (``timedelta``, seconds or ``"1h30m"``), or an aware ``datetime``.
    """

    def __init__(self, when: timedelta | datetime | float | str, message: str = "") -> None:
        self.when = when
        super().__init__(when, message)


class OutOfMemory(Exception):  # noqa: N818
    """Raise in a task to say that this machine is too small: retried on ``Retry.out_of_memory``, else CRASHED."""
