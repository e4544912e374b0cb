"""The statuses of a run and the legal transitions between them. No I/O."""

from collections.abc import Mapping
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
