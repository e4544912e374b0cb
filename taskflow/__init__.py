"""taskflow: typed tasks on Celery. Everything public is here; the rest is private."""

from taskflow.app import TaskFlow
from taskflow.definition.batch_handle import BatchHandle
from taskflow.definition.batch_item import BatchItem
from taskflow.definition.batch_verbs import batch
from taskflow.definition.bulk import BulkAction, BulkFailure
from taskflow.definition.caught import Caught
from taskflow.definition.context import Context
from taskflow.definition.debounce import Debounce
from taskflow.definition.decorator import task
from taskflow.definition.durable_verbs import durable
from taskflow.definition.durations import Duration
from taskflow.definition.handle import RunHandle
from taskflow.definition.idempotency import IdempotencyKey, idempotency_keys
from taskflow.definition.local import Local
from taskflow.definition.machine import Machine
from taskflow.definition.queue import Queue
from taskflow.definition.queue_verbs import queues
from taskflow.definition.result import TaskResult
from taskflow.definition.retry import Retry
from taskflow.definition.run_filter import RunFilter, RunPage
from taskflow.definition.signal import Signal
from taskflow.definition.steps import astep, step
from taskflow.definition.task import Task
from taskflow.definition.tokens import Token, TokenPage, TokenResult, TokenStatus, WaitToken
from taskflow.definition.verbs import runs, tasks
from taskflow.definition.wait_verbs import wait
from taskflow.definition.waiting import Wait
from taskflow.errors import (
    AbortRun,
    BatchItemsError,
    BatchNotFoundError,
    BatchTriggerError,
    BlockingCallError,
    BrokerUnavailableError,
    DefinitionError,
    EmbeddedStoreError,
    HistoryUnavailableError,
    JournalError,
    LocalNotSetError,
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
    WaitError,
    WaitTimeoutError,
)
from taskflow.execution.reporting.logger import logger
from taskflow.execution.reporting.verbs import metadata, tags
from taskflow.execution.streaming.input import InputStream
from taskflow.execution.streaming.output import OutputStream
from taskflow.execution.streaming.verbs import streams
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
    Run,
    RunError,
    RunStatus,
)
from taskflow.retrying.blocks import retry
from taskflow.retrying.strategies import ResetHeader
from taskflow.settings import Settings

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
    "EmbeddedStoreError",
    "ErrorCause",
    "HistoryUnavailableError",
    "IdempotencyKey",
    "InputStream",
    "JournalError",
    "Local",
    "LocalNotSetError",
    "Machine",
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
    "RunUpdateError",
    "Settings",
    "SettingsError",
    "Signal",
    "StepFailedError",
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
