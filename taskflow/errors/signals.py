"""Signals that task code raises to choose how its attempt ends, and the error of an output that is not JSON."""

from datetime import datetime, timedelta

from taskflow.errors.base import TaskflowError


class OutputError(TaskflowError, TypeError):
    """A task returned something that is not JSON. Fails the attempt."""


class AbortRun(Exception):  # noqa: N818 - a signal, not a failure of taskflow
    """Raise in a task to end the run FAILED without another attempt."""


class RetryAfter(Exception):  # noqa: N818
    """Raise in a task to choose when the next attempt starts, instead of the backoff.

    Args:
        when: A duration from now (``timedelta``, seconds or ``"1h30m"``), or an aware ``datetime``.
    """

    def __init__(self, when: timedelta | datetime | float | str, message: str = "") -> None:
        self.when = when
        super().__init__(when, message)


class OutOfMemory(Exception):  # noqa: N818
    """Raise in a task whose machine is too small: retried on ``Retry.out_of_memory``, else the run ends CRASHED."""
