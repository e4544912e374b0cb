"""Statuses of the engine as the wire has them, and back. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Final

from taskflow.models import RunStatus
from taskflow.server.problems import Problem

WIRE: Final[Mapping[RunStatus, str]] = {status: status.value for status in RunStatus} | {
    RunStatus.REATTEMPTING: "EXECUTING"
}
_OLD_WORDS: Final[Mapping[str, Sequence[RunStatus]]] = {
    "EXECUTING": (RunStatus.EXECUTING, RunStatus.REATTEMPTING),
    "DEQUEUED": (),
    "FROZEN": (RunStatus.WAITING,),
    "WAITING_FOR_DEPLOY": (RunStatus.PENDING_VERSION,),
    "INTERRUPTED": (),
}
_QUEUED: Final = frozenset({RunStatus.PENDING_VERSION, RunStatus.DELAYED, RunStatus.QUEUED})
_EXECUTING: Final = frozenset({RunStatus.EXECUTING, RunStatus.REATTEMPTING})


def flags(status: RunStatus) -> Mapping[str, bool]:
    """Return the flags of a status."""
    return {
        "is_queued": status in _QUEUED,
        "is_executing": status in _EXECUTING,
        "is_waiting": status is RunStatus.WAITING,
        "is_completed": status.is_finished,
        "is_success": status is RunStatus.COMPLETED,
        "is_failed": status.is_failed,
        "is_cancelled": status is RunStatus.CANCELED,
    }


def statuses_of(words: Sequence[str]) -> list[RunStatus]:
    """Return the statuses that the words of a filter name; none when no run can have them.

    Raises:
        Problem: 400: a word is no status.
    """
    found: list[RunStatus] = []
    for word in words:
        if word not in _OLD_WORDS and word not in RunStatus.__members__:
            known = ", ".join(RunStatus)
            raise Problem(400, "invalid_query", f"filter[status] has an unknown status. It is one of {known}.")
        found += _OLD_WORDS[word] if word in _OLD_WORDS else [RunStatus(word)]
    return list(dict.fromkeys(found))
