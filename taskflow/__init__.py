"""taskflow: typed tasks on Celery. Everything public is here; the rest is private."""

import importlib
from typing import TYPE_CHECKING, Final

from taskflow.definition.calls.batch_item import BatchItem
from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.calls.idempotency import IdempotencyKey, idempotency_keys
from taskflow.definition.context import Context
from taskflow.definition.machine import Machine
from taskflow.definition.queue import Queue
from taskflow.definition.retry import Retry
from taskflow.definition.signal import Signal
from taskflow.durations import Duration
from taskflow.errors import (
    AbortRun,
    ApiAddressError,
    ApiError,
    BatchItemsError,
    BatchNotFoundError,
    BatchTriggerError,
    BlockingCallError,
    BrokerUnavailableError,
    CronError,
    DeclaredScheduleError,
    DefinitionError,
    DeliveryNotFoundError,
    DeliveryQueryError,
    EagerModeError,
    EmbeddedStoreError,
    ErrorGroupNotFoundError,
    HistoryUnavailableError,
    JournalError,
    JournalNotKeptError,
    KeyRefusedError,
    LocalNotSetError,
    MetadataTooLargeError,
    NotOverHttpError,
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
    ScheduleError,
    ScheduleNotFoundError,
    ServerUnavailableError,
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
    UnknownSourceError,
    UnstorableError,
    WaitError,
    WaitTimeoutError,
    WebhookBodyError,
    WebhookVerificationError,
)
from taskflow.verbs.batch_handle import BatchHandle
from taskflow.verbs.decorator import task
from taskflow.verbs.run_handle import RunHandle
from taskflow.verbs.task import Task

if TYPE_CHECKING:
    from taskflow.app import TaskFlow
    from taskflow.definition.calls.bulk import BulkAction, BulkFailure
    from taskflow.definition.calls.log_line import LogLine
    from taskflow.definition.calls.run_filter import RunFilter, RunPage
    from taskflow.definition.calls.task_result import TaskResult
    from taskflow.definition.calls.tokens import Token, TokenPage, TokenResult, TokenStatus, WaitToken
    from taskflow.definition.caught import Caught
    from taskflow.definition.local import Local
    from taskflow.definition.scheduling.schedule import Schedule, ScheduledPayload, SchedulePage
    from taskflow.definition.webhooks.deliveries import Delivery, DeliveryPage, DeliveryStatus, WebhookEndpoint
    from taskflow.definition.webhooks.event import WebhookEvent
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
    from taskflow.seams.error_groups import ErrorGroup, ErrorState
    from taskflow.seams.waits import Wait
    from taskflow.settings import Settings
    from taskflow.verbs.batch import batch
    from taskflow.verbs.durable import durable
    from taskflow.verbs.error_groups import error_groups
    from taskflow.verbs.queues import queues
    from taskflow.verbs.schedules import schedules
    from taskflow.verbs.steps import astep, step
    from taskflow.verbs.streaming.declare import streams
    from taskflow.verbs.streaming.input import InputStream
    from taskflow.verbs.streaming.output import OutputStream
    from taskflow.verbs.tasks_by_id import runs, tasks
    from taskflow.verbs.wait import wait
    from taskflow.verbs.webhooks import webhooks
else:
    # Declaring a task needs none of these. The first use of a name loads its module.
    _LATER: Final = {
        "Attempt": "taskflow.models",
        "AttemptOutcome": "taskflow.models",
        "Batch": "taskflow.models",
        "BatchError": "taskflow.models",
        "BatchProgress": "taskflow.models",
        "BatchStatus": "taskflow.models",
        "BulkAction": "taskflow.definition.calls.bulk",
        "BulkFailure": "taskflow.definition.calls.bulk",
        "BulkStatus": "taskflow.models",
        "Caught": "taskflow.definition.caught",
        "Delivery": "taskflow.definition.webhooks.deliveries",
        "DeliveryPage": "taskflow.definition.webhooks.deliveries",
        "DeliveryStatus": "taskflow.definition.webhooks.deliveries",
        "ErrorCause": "taskflow.models",
        "ErrorGroup": "taskflow.seams.error_groups",
        "ErrorState": "taskflow.seams.error_groups",
        "InputStream": "taskflow.verbs.streaming.input",
        "Local": "taskflow.definition.local",
        "LogLine": "taskflow.definition.calls.log_line",
        "OutputStream": "taskflow.verbs.streaming.output",
        "QueueState": "taskflow.models",
        "Reason": "taskflow.models",
        "ReasonCode": "taskflow.models",
        "ResetHeader": "taskflow.retrying.strategies",
        "Run": "taskflow.models",
        "RunError": "taskflow.models",
        "RunFilter": "taskflow.definition.calls.run_filter",
        "RunPage": "taskflow.definition.calls.run_filter",
        "RunStatus": "taskflow.models",
        "RunStep": "taskflow.models",
        "RunWait": "taskflow.models",
        "Schedule": "taskflow.definition.scheduling.schedule",
        "SchedulePage": "taskflow.definition.scheduling.schedule",
        "ScheduledPayload": "taskflow.definition.scheduling.schedule",
        "Settings": "taskflow.settings",
        "TaskFlow": "taskflow.app",
        "TaskResult": "taskflow.definition.calls.task_result",
        "Token": "taskflow.definition.calls.tokens",
        "TokenPage": "taskflow.definition.calls.tokens",
        "TokenResult": "taskflow.definition.calls.tokens",
        "TokenStatus": "taskflow.definition.calls.tokens",
        "Wait": "taskflow.seams.waits",
        "WaitToken": "taskflow.definition.calls.tokens",
        "WebhookEndpoint": "taskflow.definition.webhooks.deliveries",
        "WebhookEvent": "taskflow.definition.webhooks.event",
        "astep": "taskflow.verbs.steps",
        "batch": "taskflow.verbs.batch",
        "durable": "taskflow.verbs.durable",
        "error_groups": "taskflow.verbs.error_groups",
        "logger": "taskflow.execution.reporting.logger",
        "metadata": "taskflow.execution.reporting.metadata",
        "queues": "taskflow.verbs.queues",
        "retry": "taskflow.retrying.blocks",
        "runs": "taskflow.verbs.tasks_by_id",
        "schedules": "taskflow.verbs.schedules",
        "step": "taskflow.verbs.steps",
        "streams": "taskflow.verbs.streaming.declare",
        "tags": "taskflow.execution.reporting.metadata",
        "tasks": "taskflow.verbs.tasks_by_id",
        "wait": "taskflow.verbs.wait",
        "webhooks": "taskflow.verbs.webhooks",
    }

    def __getattr__(name: str) -> object:
        """Load a public name that a definition does not need."""
        if name not in _LATER:
            raise AttributeError(f"module 'taskflow' has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_LATER[name]), name)
        return value

    def __dir__() -> list[str]:
        """Return the names, those that are not loaded yet included."""
        return sorted({*globals(), *__all__})


__all__ = [
    "AbortRun",
    "ApiAddressError",
    "ApiError",
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
    "CronError",
    "Debounce",
    "DeclaredScheduleError",
    "DefinitionError",
    "Delivery",
    "DeliveryNotFoundError",
    "DeliveryPage",
    "DeliveryQueryError",
    "DeliveryStatus",
    "Duration",
    "EagerModeError",
    "EmbeddedStoreError",
    "ErrorCause",
    "ErrorGroup",
    "ErrorGroupNotFoundError",
    "ErrorState",
    "HistoryUnavailableError",
    "IdempotencyKey",
    "InputStream",
    "JournalError",
    "JournalNotKeptError",
    "KeyRefusedError",
    "Local",
    "LocalNotSetError",
    "LogLine",
    "Machine",
    "MetadataTooLargeError",
    "NotOverHttpError",
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
    "Schedule",
    "ScheduleError",
    "ScheduleNotFoundError",
    "SchedulePage",
    "ScheduledPayload",
    "ServerUnavailableError",
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
    "UnknownSourceError",
    "UnstorableError",
    "Wait",
    "WaitError",
    "WaitTimeoutError",
    "WaitToken",
    "WebhookBodyError",
    "WebhookEndpoint",
    "WebhookEvent",
    "WebhookVerificationError",
    "astep",
    "batch",
    "durable",
    "error_groups",
    "idempotency_keys",
    "logger",
    "metadata",
    "queues",
    "retry",
    "runs",
    "schedules",
    "step",
    "streams",
    "tags",
    "task",
    "tasks",
    "wait",
    "webhooks",
]
