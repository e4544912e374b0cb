"""taskflow: typed tasks on Celery. Everything public is here; the rest is private."""

import importlib
from typing import TYPE_CHECKING, Final

from taskflow.definition.calls.batch_item import BatchItem
from taskflow.definition.calls.bulk import BulkAction, BulkFailure
from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.calls.idempotency import IdempotencyKey, idempotency_keys
from taskflow.definition.calls.log_line import LogLine
from taskflow.definition.calls.run_filter import RunFilter, RunPage
from taskflow.definition.calls.task_result import TaskResult
from taskflow.definition.calls.tokens import Token, TokenPage, TokenResult, TokenStatus, WaitToken
from taskflow.definition.caught import Caught
from taskflow.definition.context import Context
from taskflow.definition.local import Local
from taskflow.definition.machine import Machine
from taskflow.definition.queue import Queue
from taskflow.definition.retry import Retry
from taskflow.definition.signal import Signal
from taskflow.durations import Duration
from taskflow.errors import (
    AbortRun,
    BatchItemsError,
    BatchNotFoundError,
    BatchTriggerError,
    BlockingCallError,
    BrokerUnavailableError,
    DefinitionError,
    EagerModeError,
    EmbeddedStoreError,
    HistoryUnavailableError,
    JournalError,
    JournalNotKeptError,
    LocalNotSetError,
    NotResumableError,
    ObjectStoreError,
    OutOfMemory,
    OutputError,
    OutsideRunError,
    PayloadError,
    PayloadTooLargeError,
    QueueNotFoundError,
    ReplicasMissingError,
    ResultTimeoutError,
    RetryAfter,
    RunCanceledError,
    RunFailedError,
    RunFilterError,
    RunNotDelayedError,
    RunNotFoundError,
    RunUpdateError,
    SettingsError,
    StepFailedError,
    StepNotFoundError,
    StoreFullError,
    StoreScriptError,
    StoreUnavailableError,
    StreamClosedError,
    StreamError,
    StreamTimeoutError,
    Suspended,
    TaskflowError,
    TaskNotFoundError,
    TokenDataError,
    TokenNotFoundError,
    TriggerOptionError,
    UnstorableError,
    WaitError,
    WaitTimeoutError,
)
from taskflow.execution.reporting.logger import logger
from taskflow.execution.reporting.metadata import metadata, tags
from taskflow.models import (
    Attempt,
    AttemptOutcome,
    Batch,
    BatchError,
    BatchProgress,
    BatchStatus,
    BulkStatus,
    ErrorCause,
    QueueState,
    Reason,
    ReasonCode,
    Run,
    RunError,
    RunStatus,
    RunStep,
    RunWait,
)
from taskflow.retrying.blocks import retry
from taskflow.retrying.strategies import ResetHeader
from taskflow.seams.waits import Wait
from taskflow.verbs.batch import batch
from taskflow.verbs.batch_handle import BatchHandle
from taskflow.verbs.decorator import task
from taskflow.verbs.durable import durable
from taskflow.verbs.queues import queues
from taskflow.verbs.run_handle import RunHandle
from taskflow.verbs.steps import astep, step
from taskflow.verbs.streaming.declare import streams
from taskflow.verbs.streaming.input import InputStream
from taskflow.verbs.streaming.output import OutputStream
from taskflow.verbs.task import Task
from taskflow.verbs.tasks_by_id import runs, tasks
from taskflow.verbs.wait import wait

if TYPE_CHECKING:
    from taskflow.app import TaskFlow
    from taskflow.settings import Settings
else:
    # Declaring a task needs neither. The first verb loads them, or the first use of their names.
    _LATER: Final = {"TaskFlow": "taskflow.app", "Settings": "taskflow.settings"}

    def __getattr__(name: str) -> object:
        """Load a public name that a definition does not need."""
        if name not in _LATER:
            raise AttributeError(f"module 'taskflow' has no attribute {name!r}")
        return getattr(importlib.import_module(_LATER[name]), name)


__all__ = [
    "AbortRun",
    "Attempt",
    "AttemptOutcome",
    "Batch",
    "BatchError",
    "BatchHandle",
    "BatchItem",
    "BatchItemsError",
    "BatchNotFoundError",
    "BatchProgress",
    "BatchStatus",
    "BatchTriggerError",
    "BlockingCallError",
    "BrokerUnavailableError",
    "BulkAction",
    "BulkFailure",
    "BulkStatus",
    "Caught",
    "Context",
    "Debounce",
    "DefinitionError",
    "Duration",
    "EagerModeError",
    "EmbeddedStoreError",
    "ErrorCause",
    "HistoryUnavailableError",
    "IdempotencyKey",
    "InputStream",
    "JournalError",
    "JournalNotKeptError",
    "Local",
    "LocalNotSetError",
    "LogLine",
    "Machine",
    "NotResumableError",
    "ObjectStoreError",
    "OutOfMemory",
    "OutputError",
    "OutputStream",
    "OutsideRunError",
    "PayloadError",
    "PayloadTooLargeError",
    "Queue",
    "QueueNotFoundError",
    "QueueState",
    "Reason",
    "ReasonCode",
    "ReplicasMissingError",
    "ResetHeader",
    "ResultTimeoutError",
    "Retry",
    "RetryAfter",
    "Run",
    "RunCanceledError",
    "RunError",
    "RunFailedError",
    "RunFilter",
    "RunFilterError",
    "RunHandle",
    "RunNotDelayedError",
    "RunNotFoundError",
    "RunPage",
    "RunStatus",
    "RunStep",
    "RunUpdateError",
    "RunWait",
    "Settings",
    "SettingsError",
    "Signal",
    "StepFailedError",
    "StepNotFoundError",
    "StoreFullError",
    "StoreScriptError",
    "StoreUnavailableError",
    "StreamClosedError",
    "StreamError",
    "StreamTimeoutError",
    "Suspended",
    "Task",
    "TaskFlow",
    "TaskNotFoundError",
    "TaskResult",
    "TaskflowError",
    "Token",
    "TokenDataError",
    "TokenNotFoundError",
    "TokenPage",
    "TokenResult",
    "TokenStatus",
    "TriggerOptionError",
    "UnstorableError",
    "Wait",
    "WaitError",
    "WaitTimeoutError",
    "WaitToken",
    "astep",
    "batch",
    "durable",
    "idempotency_keys",
    "logger",
    "metadata",
    "queues",
    "retry",
    "runs",
    "step",
    "streams",
    "tags",
    "task",
    "tasks",
    "wait",
]
