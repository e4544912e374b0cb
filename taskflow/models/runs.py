"""A run, its attempts, and why it does not go on, as values. No I/O, and no behaviour except reading them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from taskflow.models.reasons import Reason
from taskflow.models.statuses import RunStatus


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


class AttemptOutcome(StrEnum):
    """Outcome of one attempt. Only FAILED counts against ``max_attempts``, only LOST against ``max_lost``."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    LOST = "LOST"
    INTERRUPTED = "INTERRUPTED"
    CANCELED = "CANCELED"


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
            ``user`` and a user of the dashboard, ``cli`` and the user and host of ``taskflow trigger``, ``mcp`` and
            those of ``taskflow mcp``, ``tick`` and the nominal instant of a schedule, ``delivery`` and the id of a
            webhook's delivery, ``bulk`` and the caller of a bulk replay. None when code triggers it.
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
