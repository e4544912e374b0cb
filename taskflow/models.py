"""Statuses, attempts, runs, batches and queues as values. No I/O, and no behaviour except reading them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class RunStatus(StrEnum):
    """Status of a run. The values are those of Trigger.dev's API."""

    PENDING_VERSION = "PENDING_VERSION"
    DELAYED = "DELAYED"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    REATTEMPTING = "REATTEMPTING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    FAILED = "FAILED"
    CRASHED = "CRASHED"
    SYSTEM_FAILURE = "SYSTEM_FAILURE"
    EXPIRED = "EXPIRED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def is_finished(self) -> bool:
        """Whether the status is final. A final status never changes."""
        return not TRANSITIONS[self]

    @property
    def is_failed(self) -> bool:
        """Whether the run ended neither COMPLETED nor CANCELED."""
        return self.is_finished and self not in (RunStatus.COMPLETED, RunStatus.CANCELED)


_ENDS_WITHOUT_AN_ATTEMPT: Final = frozenset({RunStatus.CANCELED, RunStatus.EXPIRED, RunStatus.SYSTEM_FAILURE})
_ENDS_OF_AN_ATTEMPT: Final = frozenset(
    {
        RunStatus.COMPLETED,
        RunStatus.CANCELED,
        RunStatus.FAILED,
        RunStatus.CRASHED,
        RunStatus.SYSTEM_FAILURE,
        RunStatus.TIMED_OUT,
    }
)

TRANSITIONS: Final[Mapping[RunStatus, frozenset[RunStatus]]] = {
    RunStatus.PENDING_VERSION: frozenset({RunStatus.QUEUED, RunStatus.DELAYED}) | _ENDS_WITHOUT_AN_ATTEMPT,
    RunStatus.DELAYED: frozenset({RunStatus.QUEUED}) | _ENDS_WITHOUT_AN_ATTEMPT,
    RunStatus.QUEUED: frozenset({RunStatus.EXECUTING}) | _ENDS_WITHOUT_AN_ATTEMPT,
    RunStatus.EXECUTING: frozenset({RunStatus.QUEUED, RunStatus.REATTEMPTING, RunStatus.WAITING}) | _ENDS_OF_AN_ATTEMPT,
    RunStatus.REATTEMPTING: frozenset({RunStatus.QUEUED}) | _ENDS_WITHOUT_AN_ATTEMPT,
    RunStatus.WAITING: frozenset({RunStatus.QUEUED, RunStatus.EXECUTING}) | _ENDS_OF_AN_ATTEMPT,
    RunStatus.COMPLETED: frozenset(),
    RunStatus.CANCELED: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.CRASHED: frozenset(),
    RunStatus.SYSTEM_FAILURE: frozenset(),
    RunStatus.EXPIRED: frozenset(),
    RunStatus.TIMED_OUT: frozenset(),
}
"""The legal transitions. EXECUTING to QUEUED: the attempt was lost or interrupted, and the run starts again at once."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue's limits and load at one moment.

    Attributes:
        running: Runs that execute.
        queued: Runs that may start and wait for a slot or a worker.
        delayed: Delayed and retrying runs.
        pending_version: Runs whose task or queue no worker has registered yet.
        concurrency_limit: The effective limit: the override, else the declared one.
        declared_limit: The limit that the code declares.
        rate_limit: Starts per period, for example ``"10/60s"``.
        paused_at: The time of the pause, None when it is not paused.
    """

    name: str
    running: int = 0
    queued: int = 0
    delayed: int = 0
    pending_version: int = 0
    concurrency_limit: int | None = None
    declared_limit: int | None = None
    per_key_limit: int | None = None
    total_limit: int | None = None
    rate_limit: str | None = None
    overridden_at: datetime | None = None
    paused_at: datetime | None = None

    @property
    def is_paused(self) -> bool:
        """Whether it is paused, so that its runs do not start."""
        return self.paused_at is not None


class AttemptOutcome(StrEnum):
    """Outcome of one attempt. Only FAILED counts against ``max_attempts``, only LOST against ``max_lost``."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    LOST = "LOST"
    INTERRUPTED = "INTERRUPTED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class ErrorCause:
    """An error that led to another, which was raised from it or while it was handled."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class RunError:
    """The error that user code raised, or the reason for an end without one. ``causes``: nearest first."""

    type: str
    message: str
    traceback: str = ""
    causes: tuple[ErrorCause, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of the function. ``outcome`` is None while it executes."""

    number: int
    claim: int
    node: str
    started_at: datetime
    finished_at: datetime | None = None
    outcome: AttemptOutcome | None = None
    error: RunError | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One triggered execution of a task: its record in the store at one moment.

    ``payload`` and ``output`` are plain JSON values; ``handle.result()`` gives the typed output.
    ``priority`` is in seconds. ``version`` is that of the code that executed the run last.
    """

    id: str
    task_id: str
    status: RunStatus
    queue: str
    machine: str
    executor: str
    created_at: datetime
    max_attempts: int
    payload: object = None
    output: object = None
    error: RunError | None = None
    attempts: tuple[Attempt, ...] = field(default=())
    tags: tuple[str, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    due_at: datetime | None = None
    idempotency_key: str | None = None
    concurrency_key: str | None = None
    priority: float = 0.0
    ttl: timedelta | None = None
    max_duration: timedelta | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    is_test: bool = False
    replay_of: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    batch_id: str | None = None
    hook_errors: tuple[RunError, ...] = ()
    version: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended."""
        return self.status.is_finished

    @property
    def is_failed(self) -> bool:
        """Whether the run ended neither COMPLETED nor CANCELED."""
        return self.status.is_failed


class BatchStatus(StrEnum):
    """Status of a batch. The values are those of Trigger.dev's API."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    PARTIAL_FAILED = "PARTIAL_FAILED"
    ABORTED = "ABORTED"


@dataclass(frozen=True, slots=True)
class BatchError:
    """The error of a batch's item that did not become a run. ``type`` is its class, ``index`` the item's, from 0."""

    index: int
    task_id: str
    type: str
    message: str


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Counts of a batch's runs. ``finished`` also counts those whose record has expired."""

    total: int
    finished: int = 0
    completed: int = 0
    failed: int = 0
    canceled: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: its record in the store at one moment.

    Attributes:
        status: PENDING while its items are written; ABORTED when writing was given up, or no item became a run;
            PARTIAL_FAILED while runs are alive and some items did not become one; else PROCESSING, then COMPLETED.
        item_count: Number of its items; while PENDING, of the items written so far.
        run_ids: The runs in the order of their items, without the items that did not become one. Items with one
            idempotency key are one run, which is listed for each.
        progress: Counts each run once.
    """

    id: str
    status: BatchStatus
    item_count: int
    run_ids: tuple[str, ...]
    errors: tuple[BatchError, ...]
    progress: BatchProgress
    created_at: datetime
    idempotency_key: str | None = None

    @property
    def run_count(self) -> int:
        """Number of its runs; items with one idempotency key share one."""
        return self.progress.total


class BulkStatus(StrEnum):
    """Status of a bulk action."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    ABORTED = "ABORTED"
