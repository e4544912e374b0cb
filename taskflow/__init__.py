"""taskflow: typed tasks on Celery. Everything public is here; the rest is private."""

from taskflow.app import TaskFlow
from taskflow.definition.context import Context
from taskflow.definition.debounce import Debounce
from taskflow.definition.decorator import task
from taskflow.definition.durations import Duration
from taskflow.definition.handle import RunHandle
from taskflow.definition.idempotency import IdempotencyKey, idempotency_keys
from taskflow.definition.machine import Machine
from taskflow.definition.queue import Queue
from taskflow.definition.queue_verbs import queues
from taskflow.definition.retry import Retry
from taskflow.definition.run_filter import RunFilter, RunPage
from taskflow.definition.task import Task
from taskflow.definition.verbs import runs, tasks
from taskflow.errors import (
    AbortRun,
    BlockingCallError,
    BrokerUnavailableError,
    DefinitionError,
    EmbeddedStoreError,
    HistoryUnavailableError,
    OutOfMemory,
    OutputError,
    PayloadError,
    PayloadTooLargeError,
    QueueNotFoundError,
    ResultTimeoutError,
    RetryAfter,
    RunCanceledError,
    RunFailedError,
    RunFilterError,
    RunNotDelayedError,
    RunNotFoundError,
    SettingsError,
    StoreUnavailableError,
    TaskflowError,
    TaskNotFoundError,
    TriggerOptionError,
)
from taskflow.models import Attempt, AttemptOutcome, QueueState, Run, RunError, RunStatus
from taskflow.settings import Settings

__all__ = [
    "AbortRun",
    "Attempt",
    "AttemptOutcome",
    "BlockingCallError",
    "BrokerUnavailableError",
    "Context",
    "Debounce",
    "DefinitionError",
    "Duration",
    "EmbeddedStoreError",
    "HistoryUnavailableError",
    "IdempotencyKey",
    "Machine",
    "OutOfMemory",
    "OutputError",
    "PayloadError",
    "PayloadTooLargeError",
    "Queue",
    "QueueNotFoundError",
    "QueueState",
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
    "Settings",
    "SettingsError",
    "StoreUnavailableError",
    "Task",
    "TaskFlow",
    "TaskNotFoundError",
    "TaskflowError",
    "TriggerOptionError",
    "idempotency_keys",
    "queues",
    "runs",
    "task",
    "tasks",
]
