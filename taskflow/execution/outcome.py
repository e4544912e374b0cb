"""Decide what an attempt's end means: done, tried again and when, or failed for good. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskflow.definition.caught import Caught
from taskflow.definition.durations import delay_until, parse_duration
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import AbortRun, DefinitionError, JournalError, OutOfMemory, OutputError, PayloadError, RetryAfter
from taskflow.execution.failures import describe
from taskflow.models import RunError, RunStatus

OUT_OF_MEMORY = "OutOfMemory"
_WOULD_FAIL_AGAIN = (AbortRun, PayloadError, OutputError, DefinitionError, JournalError)
_AS_IT_WAS = Caught()


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


def is_catchable(error: BaseException) -> bool:
    """Whether ``catch_error`` hooks are asked: not when the run would fail again in the same way."""
    return isinstance(error, Exception) and not isinstance(error, _WOULD_FAIL_AGAIN)


def decide(
    error: BaseException,
    definition: TaskDefinition,
    tries: Tries,
    random: Callable[[], float],
    now: datetime,
    caught: Caught = _AS_IT_WAS,
) -> Retried | Ended:
    """Return what an exception of the task means.

    ``AbortRun``, a payload that no longer fits and an output that is not JSON are not tried again: they would fail in
    the same way.

    Args:
        caught: What a ``catch_error`` hook answered. Its ``error`` is judged instead.
    """
    error = caught.error or error
    told = describe(error)
    is_memory = isinstance(error, OutOfMemory | MemoryError)
    larger = _larger_machine(definition, tries) if is_memory else None
    if (
        isinstance(error, _WOULD_FAIL_AGAIN)
        or tries.is_last
        or caught.skip_retry
        or (caught.retry is not None and tries.failed + 1 >= caught.retry.max_attempts)
        or (is_memory and larger is None)
    ):
        return Ended(told, RunStatus.CRASHED if is_memory else RunStatus.FAILED, error)
    return Retried(told, _delay(error, definition, tries, random, now, caught), larger, error)


def out_of_memory(
    message: str, definition: TaskDefinition, tries: Tries, random: Callable[[], float]
) -> Retried | Ended:
    """Return what it means that a child was killed because it needed more than its machine has."""
    told = RunError(OUT_OF_MEMORY, message)
    larger = _larger_machine(definition, tries)
    if larger is None or tries.is_last:
        return Ended(told, RunStatus.CRASHED)
    return Retried(told, definition.retry.delay_after(tries.failed + 1, random), larger)


def timed_out(max_duration: timedelta | None) -> Ended:
    """Return what it means that an attempt was stopped because it had used up its time."""
    told = "the time it may take" if max_duration is None else f"its max_duration of {max_duration.total_seconds():g} s"
    return Ended(RunError("TimedOut", f"The run was stopped: it had used up {told}."), RunStatus.TIMED_OUT)


def _larger_machine(definition: TaskDefinition, tries: Tries) -> str | None:
    larger = definition.retry.out_of_memory
    return None if larger == tries.machine else larger


def _delay(
    error: BaseException,
    definition: TaskDefinition,
    tries: Tries,
    random: Callable[[], float],
    now: datetime,
    caught: Caught,
) -> timedelta:
    if caught.retry_at is not None:
        return delay_until(caught.retry_at, now, option="retry_at")
    if caught.retry_delay is not None:
        return parse_duration(caught.retry_delay, option="retry_delay")
    if caught.retry is None and isinstance(error, RetryAfter):
        try:
            return delay_until(error.when, now, option="RetryAfter")
        except DefinitionError:  # no duration: the run must not be lost over it, and the stored error shows it
            pass
    return (caught.retry or definition.retry).delay_after(tries.failed + 1, random)
