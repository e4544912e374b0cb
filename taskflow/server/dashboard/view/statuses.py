"""Statuses as people see them: word, family of colour, and whether the run lives."""

from collections.abc import Mapping
from typing import Final

from taskflow.models import RunStatus

WORDS: Final[Mapping[RunStatus, str]] = {
    RunStatus.PENDING_VERSION: "Pending version",
    RunStatus.DELAYED: "Delayed",
    RunStatus.QUEUED: "Queued",
    RunStatus.EXECUTING: "Executing",
    RunStatus.REATTEMPTING: "Reattempting",
    RunStatus.WAITING: "Waiting",
    RunStatus.COMPLETED: "Completed",
    RunStatus.CANCELED: "Canceled",
    RunStatus.FAILED: "Failed",
    RunStatus.CRASHED: "Crashed",
    RunStatus.SYSTEM_FAILURE: "System failure",
    RunStatus.EXPIRED: "Expired",
    RunStatus.TIMED_OUT: "Timed out",
}
"""The word of each status."""
TONES: Final[Mapping[RunStatus, str]] = {
    RunStatus.PENDING_VERSION: "amber",
    RunStatus.DELAYED: "grey",
    RunStatus.QUEUED: "grey",
    RunStatus.EXECUTING: "blue",
    RunStatus.REATTEMPTING: "amber",
    RunStatus.WAITING: "violet",
    RunStatus.COMPLETED: "green",
    RunStatus.CANCELED: "grey",
    RunStatus.FAILED: "red",
    RunStatus.CRASHED: "red",
    RunStatus.SYSTEM_FAILURE: "red",
    RunStatus.EXPIRED: "amber",
    RunStatus.TIMED_OUT: "red",
}
"""The family of colour of each status."""
LIVE: Final = tuple(status for status in RunStatus if not status.is_finished)
"""Statuses of runs that have not ended."""
FAILURES: Final = (RunStatus.FAILED, RunStatus.CRASHED, RunStatus.SYSTEM_FAILURE, RunStatus.TIMED_OUT)
"""Final statuses that are failures."""


def short_id(identifier: str) -> str:
    """Return the last eight digits of an id, as lists show it."""
    return identifier[-8:]
