"""What an attempt that tells about itself needs of the process it executes in."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from taskflow.execution.reporting.changes import Change


class RunWriter(Protocol):
    """Who sends what runs tell. Blocking; each call may raise StoreUnavailableError and is then repeated."""

    def update_metadata(
        self, run_id: str, claim: int | None, changes: Sequence[Change], writer: str, number: int
    ) -> bytes | None:
        """Change a run's metadata and return its JSON, None when the run has ended.

        Raises:
            StaleClaimError, RunNotFoundError: The run's own claim is over.
            RunUpdateError: It would be too large.
        """
        ...

    def add_tags(self, run_id: str, claim: int, tags: Sequence[str]) -> None:
        """Add tags. Raises as ``update_metadata``."""
        ...

    def append_logs(self, run_id: str, claim: int, lines: Sequence[bytes]) -> None:
        """Add log lines."""
        ...


class ReportSink(Protocol):
    """Where live runs hand in what they tell. One a process."""

    writer: RunWriter

    def wake(self) -> None:
        """There is something to send."""
        ...

    def keep_line(self, run_id: str, claim: int, document: bytes) -> None:
        """Keep a log line, safe from a crash, until it is sent."""
        ...


class RunIdentity(NamedTuple):
    """Which attempt tells."""

    run_id: str
    attempt: int
    claim: int
    parent_id: str | None = None
    root_id: str | None = None
