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
    # FAILED: a message whose arguments do not fit; its run never starts.
    RunStatus.DELAYED: frozenset({RunStatus.QUEUED, RunStatus.FAILED}) | _ENDS_WITHOUT_AN_ATTEMPT,
    RunStatus.QUEUED: frozenset({RunStatus.EXECUTING}) | _ENDS_WITHOUT_AN_ATTEMPT,
    RunStatus.EXECUTING: frozenset(
        {RunStatus.QUEUED, RunStatus.REATTEMPTING, RunStatus.WAITING, RunStatus.PENDING_VERSION}
    )
    | _ENDS_OF_AN_ATTEMPT,
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
"""The legal transitions. EXECUTING to QUEUED: the attempt was lost or interrupted, and the run starts again at once.
EXECUTING to PENDING_VERSION: a durable run waits for the code that made its journal."""


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
        paused_by: The user and host, or the run, that paused it.
        paused_note: The reason that was given for the pause.
        overridden_by: The user and host, or the run, that replaced the limit.
        burst_factor: Of the environment: how many times its limit its queues may execute together.
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
    paused_by: str | None = None
    paused_note: str | None = None
    overridden_by: str | None = None
    burst_factor: float | None = None

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


class ReasonCode(StrEnum):
    """Why a run does not start, does not go on, or has not completed."""

    QUEUE_PAUSED = "queue_paused"
    ENVIRONMENT_PAUSED = "environment_paused"
    CONCURRENCY_LIMIT = "concurrency_limit"
    KEY_LIMIT = "key_limit"
    TOTAL_LIMIT = "total_limit"
    ENVIRONMENT_LIMIT = "environment_limit"
    RATE_LIMIT = "rate_limit"
    NO_WORKER = "no_worker"
    WORKERS_BUSY = "workers_busy"
    BROKER_REFUSES = "broker_refuses"
    UNKNOWN_TASK = "unknown_task"
    UNKNOWN_QUEUE = "unknown_queue"
    OTHER_VERSION = "other_version"
    DELAYED = "delayed"
    DEBOUNCED = "debounced"
    RETRY = "retry"
    WAITS_FOR_TIME = "waits_for_time"
    WAITS_FOR_TOKEN = "waits_for_token"
    WAITS_FOR_RUN = "waits_for_run"
    WAITS_FOR_BATCH = "waits_for_batch"
    WAITS_FOR_INPUT = "waits_for_input"
    WAITS_FOR_SEVERAL = "waits_for_several"
    LATE_HEARTBEAT = "late_heartbeat"
    FINAL_HOOKS = "final_hooks"
    EXPIRED = "expired"
    CANCELED = "canceled"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    CRASHED = "crashed"
    SYSTEM_FAILURE = "system_failure"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a run does not start, does not go on, or has not completed.

    Attributes:
        code: For programs.
        text: One sentence for people, with what they can do about it.
        details: The facts of the sentence: names, numbers, and aware instants.
    """

    code: ReasonCode
    text: str
    details: Mapping[str, object] = field(default_factory=dict[str, object])

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class RunStep:
    """One call in a durable run's journal.

    Attributes:
        key: Its place in the journal: its number among the calls of the function, or of an asyncio task.
        kind: ``"step"``, ``"value"`` or, of a wait, ``"duration"``, ``"token"``, ``"task"``, ``"batch"``, ``"input"``,
            ``"retry"``.
        name: The name of the step, or of what it waits for.
        state: ``"done"``, ``"failed"`` (and the code went on) or ``"waiting"``.
        took: How long it took, None while it goes on, and for values.
    """

    key: str
    kind: str
    name: str
    state: str
    started_at: datetime | None = None
    took: timedelta | None = None


@dataclass(frozen=True, slots=True)
class RunWait:
    """A wait that a run has opened and whose end has not come.

    Attributes:
        kind: ``"duration"``, ``"token"``, ``"task"``, ``"batch"`` or ``"input"``.
        name: The token, the task, or the input stream.
        items, done: How many things it waits for, and how many of them have come.
        since: When it was opened.
        until: When time ends it.
        run_ids: The live runs that it waits for, as far as the store has them beside this run.
    """

    kind: str
    name: str
    items: int
    done: int
    since: datetime | None = None
    until: datetime | None = None
    run_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One triggered execution of a task: its record in the store at one moment.

    ``payload`` and ``output`` are plain JSON values; ``handle.result()`` gives the typed output.
    ``priority`` is in seconds. ``version`` is that of the code that executed the run last.

    Attributes:
        schedule_id: The schedule that made it.
        canceled_by: The user and host, or the run, that canceled it.
        triggered_by: A kind and a name: ``key`` and the id of an API key, ``token`` and the digest of a public token,
            ``user`` and a user of the dashboard, ``cli`` and the user and host of ``taskflow trigger``, ``tick`` and
            the nominal instant of a schedule, ``delivery`` and the id of a webhook's delivery, ``bulk`` and the caller
            of a bulk replay. None when code triggers it.
        reason: Why it does not start, does not go on, or has not completed; None while it executes and once it has
            completed. Only ``retrieve`` finds it out.
        steps: The calls that a durable run has made, by their start. Only ``retrieve`` reads them.
        waits: What the run waits for. Only ``retrieve`` reads them.
        children: Live runs that it has triggered, 100 at most, with their statuses. Only ``retrieve`` reads them.
        dropped_lines: About how many log lines and spans were not kept because of the limits.
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
    schedule_id: str | None = None
    hook_errors: tuple[RunError, ...] = ()
    version: str | None = None
    canceled_by: str | None = None
    triggered_by: str | None = None
    reason: Reason | None = None
    steps: tuple[RunStep, ...] = ()
    waits: tuple[RunWait, ...] = ()
    children: Mapping[str, RunStatus] = field(default_factory=dict[str, RunStatus])
    dropped_lines: int = 0

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
    executing: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: its record in the store at one moment.

    Attributes:
        status: PENDING while its items are written; ABORTED when writing was given up, or no item became a run;
            PARTIAL_FAILED while runs are alive and some items did not become one; else PROCESSING, then COMPLETED.
        item_count: Number of its items; while PENDING, of the items written so far, or announced over HTTP.
        run_ids: The runs in the order of their items, without the items that did not become one. Items with one
            idempotency key are one run, which is listed for each.
        progress: Counts each run once.
        updated_at: The instant at which items were last written.
    """

    id: str
    status: BatchStatus
    item_count: int
    run_ids: tuple[str, ...]
    errors: tuple[BatchError, ...]
    progress: BatchProgress
    created_at: datetime
    idempotency_key: str | None = None
    updated_at: datetime | None = None

    @property
    def run_count(self) -> int:
        """Number of its runs; items with one idempotency key share one."""
        return self.progress.total


class BulkStatus(StrEnum):
    """Status of a bulk action."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    ABORTED = "ABORTED"
