"""Statuses, attempts, runs, batches and queues as values. No I/O, and no behaviour except reading them."""

from taskflow.models.batches import Batch, BatchError, BatchProgress, BatchStatus, BulkStatus
from taskflow.models.queues import QueueState
from taskflow.models.reasons import Reason, ReasonCode
from taskflow.models.runs import Attempt, AttemptOutcome, ErrorCause, Run, RunError, RunStep, RunWait
from taskflow.models.statuses import TRANSITIONS, RunStatus

__all__ = [
    "TRANSITIONS",
    "Attempt",
    "AttemptOutcome",
    "Batch",
    "BatchError",
    "BatchProgress",
    "BatchStatus",
    "BulkStatus",
    "ErrorCause",
    "QueueState",
    "Reason",
    "ReasonCode",
    "Run",
    "RunError",
    "RunStatus",
    "RunStep",
    "RunWait",
]
