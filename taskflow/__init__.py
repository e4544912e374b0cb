"""taskflow: typed tasks on Celery. Everything public is here; the rest is private."""

from taskflow.app import TaskFlow
from taskflow.definition.context import Context
from taskflow.definition.decorator import task
from taskflow.definition.durations import Duration
from taskflow.definition.handle import RunHandle
from taskflow.definition.machine import Machine
from taskflow.definition.queue import Queue
from taskflow.definition.retry import Retry
from taskflow.definition.task import Task
from taskflow.definition.verbs import runs, tasks
from taskflow.errors import (
    AbortRun,
    BlockingCallError,
    BrokerUnavailableError,
    DefinitionError,
    EmbeddedStoreError,
    OutOfMemory,
    OutputError,
    PayloadError,
    PayloadTooLargeError,
    ResultTimeoutError,
    RetryAfter,
    RunCanceledError,
    RunFailedError,
    RunNotFoundError,
    SettingsError,
    StoreUnavailableError,
    TaskflowError,
    TaskNotFoundError,
    TriggerOptionError,
)
from taskflow.models import Attempt, AttemptOutcome, Run, RunError, RunStatus
from taskflow.settings import Settings

__all__ = [
    "AbortRun",
    "Attempt",
    "AttemptOutcome",
    "BlockingCallError",
    "BrokerUnavailableError",
    "Context",
    "DefinitionError",
    "Duration",
    "EmbeddedStoreError",
    "Machine",
    "OutOfMemory",
    "OutputError",
    "PayloadError",
    "PayloadTooLargeError",
    "Queue",
    "ResultTimeoutError",
    "Retry",
    "RetryAfter",
    "Run",
    "RunCanceledError",
    "RunError",
    "RunFailedError",
    "RunHandle",
    "RunNotFoundError",
    "RunStatus",
    "Settings",
    "SettingsError",
    "StoreUnavailableError",
    "Task",
    "TaskFlow",
    "TaskNotFoundError",
    "TaskflowError",
    "TriggerOptionError",
    "runs",
    "task",
    "tasks",
]
