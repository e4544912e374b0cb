"""The context of a task's function: facts about its run. Frozen: a snapshot made when the attempt starts."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from taskflow.definition.signal import Signal


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run. ``priority`` in seconds; ``parent_id`` is the run that triggered it, ``root_id`` the first of them.

    ``trace``: the trace headers of the code that triggered it (``traceparent``, ``tracestate``, ``baggage`` and
    ``sentry-trace``, those that there were), for ``opentelemetry.propagate.extract`` or ``sentry_sdk.continue_trace``.
    """

    id: str
    tags: tuple[str, ...]
    created_at: datetime
    started_at: datetime
    max_attempts: int
    idempotency_key: str | None = None
    is_test: bool = False
    is_replay: bool = False
    concurrency_key: str | None = None
    priority: float = 0.0
    max_duration: timedelta | None = None
    parent_id: str | None = None
    root_id: str | None = None
    batch_id: str | None = None
    version: str | None = None
    trace: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


@dataclass(frozen=True, slots=True)
class AttemptInfo:
    """This try of the function. ``number`` counts from 1; ``is_last``: a failure is not retried."""

    number: int
    started_at: datetime
    is_last: bool


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """The task. ``file_path``: where its function is defined."""

    id: str
    description: str = ""
    file_path: str = ""


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """The queue that the run came through."""

    name: str


@dataclass(frozen=True, slots=True)
class MachineInfo:
    """The preset that the run executes on: vCPUs and GB."""

    name: str
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class EnvironmentInfo:
    """The environment: ``TASKFLOW_ENVIRONMENT``."""

    name: str


@dataclass(frozen=True, slots=True)
class DeploymentInfo:
    """The code that executes the run: ``TASKFLOW_VERSION`` or its git commit, None where neither is known."""

    version: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """The value of ``ctx``, for a task that declares it.

    Attributes:
        init: The mappings that the ``init`` hooks returned, merged; None before the hooks have run.
        signal: Set when the attempt is to stop.
        reason: How the run ended, in the hooks that run then: ``"completed"``, ``"failed"``, ``"crashed"``,
            ``"timed out"``, ``"canceled"``, ``"expired"``, ``"worker lost"``. None before.
    """

    run: RunInfo
    attempt: AttemptInfo
    task: TaskInfo
    queue: QueueInfo
    machine: MachineInfo
    environment: EnvironmentInfo
    deployment: DeploymentInfo = field(default_factory=DeploymentInfo)
    init: object = field(default=None, compare=False)
    signal: Signal = field(default_factory=Signal, compare=False)
    reason: str | None = None


_current: ContextVar[Context | None] = ContextVar("taskflow_context", default=None)


def current_context() -> Context | None:
    """Return the context of the run that this code executes in, None outside of a run."""
    return _current.get()


def enter(context: Context) -> None:
    """Replace the context of the run that this code executes in."""
    _current.set(context)


@contextmanager
def entered(context: Context) -> Generator[None]:
    """Set the context for the code inside."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
