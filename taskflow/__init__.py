"""taskflow: typed tasks on Celery. Everything public is here; the rest is private."""

from taskflow.app import TaskFlow
from taskflow.definition.caught import Caught
from taskflow.definition.context import Context
from taskflow.definition.debounce import Debounce
from taskflow.definition.decorator import task
from taskflow.definition.durations import Duration
from taskflow.definition.handle import RunHandle
from taskflow.definition.idempotency import IdempotencyKey, idempotency_keys
from taskflow.definition.local import Local
from taskflow.definition.machine import Machine
from taskflow.definition.queue import Queue
from taskflow.definition.queue_verbs import queues
from taskflow.definition.result import TaskResult
from taskflow.definition.retry import Retry
from taskflow.definition.signal import Signal
from taskflow.definition.task import Task
from taskflow.definition.verbs import runs, tasks
from taskflow.errors import (
    AbortRun,
    BlockingCallError,
    BrokerUnavailableError,
    DefinitionError,
    EmbeddedStoreError,
    LocalNotSetError,
    OutOfMemory,
    OutputError,
    OutsideRunError,
    PayloadError,
    PayloadTooLargeError,
    QueueNotFoundError,
    ResultTimeoutError,
    RetryAfter,
    RunCanceledError,
    RunFailedError,
    RunNotDelayedError,
    RunNotFoundError,
    RunUpdateError,
    SettingsError,
    StoreUnavailableError,
    TaskflowError,
    TaskNotFoundError,
    TriggerOptionError,
)
from taskflow.execution.reporting.logger import logger
from taskflow.execution.reporting.verbs import metadata, tags
from taskflow.models import Attempt, AttemptOutcome, ErrorCause, QueueState, Run, RunError, RunStatus
from taskflow.retrying.blocks import retry
from taskflow.retrying.strategies import ResetHeader
from taskflow.settings import Settings

__all__ = [
    "AbortRun",
    "Attempt",
    "AttemptOutcome",
    "BlockingCallError",
    "BrokerUnavailableError",
    "Caught",
    "Context",
    "Debounce",
    "DefinitionError",
    "Duration",
    "EmbeddedStoreError",
    "ErrorCause",
    "IdempotencyKey",
    "Local",
    "LocalNotSetError",
    "Machine",
    "OutOfMemory",
    "OutputError",
    "OutsideRunError",
    "PayloadError",
    "PayloadTooLargeError",
    "Queue",
    "QueueNotFoundError",
    "QueueState",
    "ResetHeader",
    "ResultTimeoutError",
    "Retry",
    "RetryAfter",
    "Run",
    "RunCanceledError",
    "RunError",
    "RunFailedError",
    "RunHandle",
    "RunNotDelayedError",
    "RunNotFoundError",
    "RunStatus",
    "RunUpdateError",
    "Settings",
    "SettingsError",
    "Signal",
    "StoreUnavailableError",
    "Task",
    "TaskFlow",
    "TaskNotFoundError",
    "TaskResult",
    "TaskflowError",
    "TriggerOptionError",
    "idempotency_keys",
    "logger",
    "metadata",
    "queues",
    "retry",
    "runs",
    "tags",
    "task",
    "tasks",
]
