"""Decide the outcome of an attempt: completed, tried again and when, or failed for good. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from taskflow.definition.caught import Caught
from taskflow.definition.task_definition import TaskDefinition
from taskflow.durations import delay_until, parse_duration, retry_delay
from taskflow.errors import (
    AbortRun,
    DefinitionError,
    JournalError,
    OutOfMemory,
    OutputError,
    PayloadError,
    RetryAfter,
    WaitError,
)
from taskflow.errors.base import is_kind
from taskflow.execution.failures import description_of
from taskflow.models import RunError, RunStatus

OUT_OF_MEMORY = "OutOfMemory"
_WOULD_FAIL_AGAIN = (AbortRun, PayloadError, OutputError, DefinitionError, JournalError)
_AS_IT_WAS = Caught()


@dataclass(frozen=True, slots=True)
class Completed:
    """The function returned. ``value`` is its return value, ``output`` the JSON of that."""

    output: bytes
    value: object


@dataclass(frozen=True, slots=True)
class Retried:
    """The attempt failed and another follows, on ``machine`` when that is set.

    Attributes:
        cause: The exception of the code, where it is known.
        is_handy: Whether the texts of ``cause`` may be made again, because they are short and were made at once.
    """

    error: RunError
    delay: timedelta
    machine: str | None = None
    cause: BaseException | None = None
    is_handy: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt failed, and the run with it. ``cause`` and ``is_handy``: as in ``Retried``."""

    error: RunError
    status: RunStatus
    cause: BaseException | None = None
    is_handy: bool = True


Outcome = Completed | Retried | Ended


@dataclass(frozen=True, slots=True)
class Tries:
    """Failed attempts before this one, the most that a run may have, and the machine that it runs on."""

    failed: int
    most: int
    machine: str

    @property
    def is_last(self) -> bool:
        """Whether no retry follows a failure of this attempt."""
        return self.failed + 1 >= self.most


def is_catchable(error: BaseException) -> bool:
    """Whether ``catch_error`` hooks are called: not for an error that would come again in the same way."""
    return is_kind(error, Exception) and not is_kind(error, _WOULD_FAIL_AGAIN)


def decide(
    error: BaseException,
    definition: TaskDefinition,
    tries: Tries,
    random: Callable[[], float],
    now: datetime,
    caught: Caught = _AS_IT_WAS,
    is_stop: Callable[[BaseException], bool] = lambda _: False,
) -> Retried | Ended:
    """Return the outcome of an attempt that raised an exception.

    ``AbortRun``, a payload that no longer fits and an output that is not JSON are not tried again, because they would
    fail in the same way. A delay that is not possible is the attempt's error, and the backoff stands in for it.

    Args:
        caught: The answer of a ``catch_error`` hook. Its ``error`` is judged instead.
        is_stop: Whether an exception stops the attempt. Making the error's text may raise it.
    """
    error = error if caught.error is None else caught.error
    chosen: timedelta | None = None
    try:
        chosen = _chosen_delay(error, now, caught)
    except WaitError as refused:
        refused.__cause__ = error
        error = refused.with_traceback(error.__traceback__)
    description = description_of(error, is_stop)
    described, is_handy = description.error, description.is_handy
    is_memory = is_kind(error, (OutOfMemory, MemoryError))
    larger = _larger_machine(definition, tries) if is_memory else None
    if (
        is_kind(error, _WOULD_FAIL_AGAIN)
        or tries.is_last
        or caught.skip_retry
        or (caught.retry is not None and tries.failed + 1 >= caught.retry.max_attempts)
        or (is_memory and larger is None)
    ):
        return Ended(described, RunStatus.CRASHED if is_memory else RunStatus.FAILED, error, is_handy)
    if chosen is None:
        chosen = (caught.retry or definition.retry).delay_after(tries.failed + 1, random)
    return Retried(described, chosen, larger, error, is_handy)


def out_of_memory(
    message: str, definition: TaskDefinition, tries: Tries, random: Callable[[], float]
) -> Retried | Ended:
    """Return the outcome of an attempt whose child was killed because it needed more memory than its machine has."""
    described = RunError(OUT_OF_MEMORY, message)
    larger = _larger_machine(definition, tries)
    if larger is None or tries.is_last:
        return Ended(described, RunStatus.CRASHED)
    return Retried(described, definition.retry.delay_after(tries.failed + 1, random), larger)


def timed_out(max_duration: timedelta | None) -> Ended:
    """Return the outcome of an attempt that was stopped because it had used up its time."""
    seconds = max_duration and f"{max_duration.total_seconds():g} s"
    budget = f"its max_duration of {seconds}" if seconds else "the time it may take"
    return Ended(RunError("TimedOut", f"The run was stopped: it had used up {budget}."), RunStatus.TIMED_OUT)


def _larger_machine(definition: TaskDefinition, tries: Tries) -> str | None:
    larger = definition.retry.out_of_memory
    return None if larger == tries.machine else larger


def _chosen_delay(error: BaseException, now: datetime, caught: Caught) -> timedelta | None:
    """Return the delay that a hook or the error itself chooses, None for the backoff.

    Raises:
        WaitError: It is not possible, for example an instant without a time zone.
    """
    try:
        if caught.retry_at is not None:
            return delay_until(caught.retry_at, now, option="retry_at")
        if caught.retry_delay is not None:
            return parse_duration(caught.retry_delay, option="retry_delay")
    except DefinitionError as refused:
        raise WaitError(f"Caught: {refused}") from None
    return retry_delay(cast("RetryAfter", error), now) if caught.retry is None and is_kind(error, RetryAfter) else None
