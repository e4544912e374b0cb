"""A bulk action: many runs canceled or replayed by one call, in the process that asks for it."""

import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from taskflow.models import BulkStatus

BulkKind = Literal["cancel", "replay"]


@dataclass(frozen=True, slots=True)
class BulkFailure:
    """The reason why the action could not be done on one run."""

    run_id: str
    reason: str


class BulkAction:
    """The progress of a bulk action. ``on_progress`` gets it after each part, and the verb returns it at the end.

    Attributes:
        id: Its id.
        kind: The action: cancel or replay.
        total: Number of selected runs.
        success: Number of runs on which it was done. A run that has ended is not canceled.
        failures: The other runs, with the reason.
        run_ids: The runs that a replay has made.
    """

    def __init__(self, kind: BulkKind, total: int) -> None:
        """Make the progress of an action that has not begun. Called by the verbs."""
        self.id: str = f"bulk_{secrets.token_hex(16)}"
        self.kind: BulkKind = kind
        self.total: int = total
        self.success: int = 0
        self.failures: Sequence[BulkFailure] = ()
        self.run_ids: Sequence[str] = ()
        self._aborted = threading.Event()

    def __repr__(self) -> str:
        return f"<BulkAction {self.kind} {self.status} {self.success + self.failure} of {self.total}>"

    @property
    def failure(self) -> int:
        """Number of runs on which it could not be done."""
        return len(self.failures)

    @property
    def status(self) -> BulkStatus:
        """PENDING while runs are left, ABORTED when that was asked for before the last part, else COMPLETED."""
        if self.success + self.failure == self.total:
            return BulkStatus.COMPLETED
        return BulkStatus.ABORTED if self._aborted.is_set() else BulkStatus.PENDING

    def abort(self) -> None:
        """Stop before the next part. Parts that are done stay done. Call it in ``on_progress`` or another thread."""
        self._aborted.set()

    @property
    def is_aborted(self) -> bool:
        """Whether to stop."""
        return self._aborted.is_set()

    def add(self, success: int, failures: Sequence[BulkFailure], run_ids: Sequence[str] = ()) -> None:
        """Count a part."""
        self.success += success
        self.failures = (*self.failures, *failures)
        self.run_ids = (*self.run_ids, *run_ids)


OnProgress = Callable[[BulkAction], None]
