"""Decide what an attempt's end means: done, tried again and when, or failed for good. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from taskflow.definition.durations import parse_duration
from taskflow.definition.task import TaskDefinition
from taskflow.errors import AbortRun, DefinitionError, OutOfMemory, OutputError, PayloadError, RetryAfter
from taskflow.execution.failures import describe
from taskflow.models import RunError, RunStatus

OUT_OF_MEMORY = "OutOfMemory"


@dataclass(frozen=True, slots=True)
class Completed:
    """The function returned. ``output`` is its JSON, ``value`` what it returned."""

    output: bytes
    value: object


@dataclass(frozen=True, slots=True)
class Retried:
    """The attempt failed and another follows, on another machine when one is named."""

    error: RunError
    delay: timedelta
    machine: str | None = None
    cause: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt failed and with it the run."""

    error: RunError
    status: RunStatus
    cause: BaseException | None = None


Outcome = Completed | Retried | Ended


@dataclass(frozen=True, slots=True)
class Tries:
    """How often a run has failed before this attempt, how often it may, and where it runs."""

    failed: int
    most: int
    machine: str

    @property
    def is_last(self) -> bool:
        """Whether no retry follows a failure of this attempt."""
        return self.failed + 1 >= self.most


def decide(
    error: BaseException, definition: TaskDefinition, tries: Tries, random: Callable[[], float], now: datetime
) -> Retried | Ended:
    """Return what an exception of the task means.

    ``AbortRun``, a payload that no longer fits and an output that is not JSON are not tried again: they would fail in
    the same way.
    """
    told = describe(error)
    if isinstance(error, OutOfMemory | MemoryError):
        return _larger_machine(told, definition, tries, random, error)
    if isinstance(error, AbortRun | PayloadError | OutputError | DefinitionError) or tries.is_last:
        return Ended(told, RunStatus.FAILED, error)
    if isinstance(error, RetryAfter):
        return Retried(told, _until(error.when, now), cause=error)
    return Retried(told, definition.retry.delay_after(tries.failed + 1, random), cause=error)


def out_of_memory(
    message: str, definition: TaskDefinition, tries: Tries, random: Callable[[], float]
) -> Retried | Ended:
    """Return what it means that a child was killed because it needed more than its machine has."""
    return _larger_machine(RunError(OUT_OF_MEMORY, message), definition, tries, random, None)


def _larger_machine(
    told: RunError, definition: TaskDefinition, tries: Tries, random: Callable[[], float], cause: BaseException | None
) -> Retried | Ended:
    larger = definition.retry.out_of_memory
    if larger is None or larger == tries.machine or tries.is_last:
        return Ended(told, RunStatus.CRASHED, cause)
    return Retried(told, definition.retry.delay_after(tries.failed + 1, random), larger, cause)


def _until(when: Any, now: datetime) -> timedelta:
    if isinstance(when, datetime):
        aware = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(timedelta(0), aware - now)
    return parse_duration(when, option="RetryAfter")
