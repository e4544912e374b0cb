"""What a task's function is told about its run. Frozen: a snapshot made when the attempt starts."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run."""

    id: str
    tags: tuple[str, ...]
    created_at: datetime
    started_at: datetime
    max_attempts: int
    idempotency_key: str | None = None
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class AttemptInfo:
    """This try of the function. ``number`` counts from 1; ``is_last`` says that no retry follows a failure."""

    number: int
    started_at: datetime
    is_last: bool


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """The task."""

    id: str
    description: str = ""


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
class Context:
    """What a task that declares ``ctx`` receives."""

    run: RunInfo
    attempt: AttemptInfo
    task: TaskInfo
    queue: QueueInfo
    machine: MachineInfo
    environment: EnvironmentInfo
