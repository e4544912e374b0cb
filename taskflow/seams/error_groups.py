"""Groups of errors: values that the history keeps and pages show. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from taskflow.seams.activity import Bar

NEW: Final = timedelta(hours=24)
"""The age up to which a group counts as new."""


class ErrorState(StrEnum):
    """The state of a group of errors."""

    OPEN = "open"
    MUTED = "muted"
    RESOLVED = "resolved"


VERBS: Final[Mapping[ErrorState, str]] = {
    ErrorState.OPEN: "open",
    ErrorState.MUTED: "mute",
    ErrorState.RESOLVED: "resolve",
}
"""The verb of the action that puts a group into a state."""


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """The failures that have one type, one message without its numbers and quotes, and one innermost frame.

    Attributes:
        id: Its fingerprint, 16 hexadecimal digits.
        message: The message of its newest failure, cut.
        frame: ``"shop/carriers/dhl.py:44 in quote"``, "" without a traceback.
        changed_by: The person who muted, resolved or opened it, with ``changed_at``.
        resolved_in: The version that is said to have it no more. A failure of an older version leaves it resolved.
        came_back_at: When it failed again after it was resolved, None once a person has changed its state since.
        attempts: The attempts that failed with it in the period that was asked for.
        runs: The runs that it ended.
        tasks, versions: Failed attempts in the period, by the ids of tasks and the versions of the code.
        bars: The attempts that failed, in parts of the period of equal length, oldest first.
    """

    id: str
    type: str
    message: str
    frame: str
    first_at: datetime
    last_at: datetime
    state: ErrorState = ErrorState.OPEN
    changed_at: datetime | None = None
    changed_by: str | None = None
    resolved_in: str | None = None
    came_back_at: datetime | None = None
    attempts: int = 0
    runs: int = 0
    tasks: Mapping[str, int] = field(default_factory=dict[str, int])
    versions: Mapping[str, int] = field(default_factory=dict[str, int])
    bars: Sequence[Bar] = ()

    def is_new(self, now: datetime) -> bool:
        """Whether it was seen for the first time within 24 hours, and is open."""
        return self.state is ErrorState.OPEN and self.came_back_at is None and now - self.first_at < NEW
