"""Protocols between an attempt and its process: the sink of its reports, and the writer that sends them."""

import logging
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from taskflow.execution.reporting.changes import Change


class RunWriter(Protocol):
    """The sender of reports to the store. It blocks. A call that raises StoreUnavailableError is repeated."""

    def update_metadata(
        self, run_id: str, claim: int | None, changes: Sequence[Change], writer: str, number: int
    ) -> bytes | None:
        """Change a run's metadata and return its JSON, None when the run has ended.

        Raises:
            StaleClaimError, RunNotFoundError: The run's own claim has ended.
            RunUpdateError: The metadata would be too large.
        """
        ...

    def add_tags(self, run_id: str, claim: int, tags: Sequence[str]) -> None:
        """Add tags. Raises as ``update_metadata``."""
        ...

    def append_logs(self, run_id: str, claim: int, lines: Sequence[bytes]) -> None:
        """Add log lines."""
        ...


class HandedLine(NamedTuple):
    """A log line, as a fork hands it to the process that executes its run, which numbers and keeps the line."""

    run_id: str
    claim: int
    level: str
    logger: str
    message: str
    fields: dict[str, object]


class ReportSink(Protocol):
    """The receiver of the reports of live runs. One a process."""

    writer: RunWriter

    def wake(self) -> None:
        """Send the reports of all attempts soon."""
        ...

    def keep_line(self, run_id: str, claim: int, document: bytes) -> None:
        """Keep a log line, safe from a crash, until it is sent."""
        ...

    def hand_over(self, line: HandedLine) -> bool:
        """Keep first what programs have written until now. Return True when another process keeps the line."""
        ...

    def become_fork(self) -> None:
        """Send from now on at once, because this process is a fork of the one that executes the run."""
        ...


class BegunText(Protocol):
    """The lines of a run that have begun on its standard streams."""

    def write(self, logger: logging.Logger, piece: bytes) -> None:
        """Keep the lines that a piece completes."""
        ...

    def finish(self) -> None:
        """Keep the lines that have begun."""
        ...


class Output(Protocol):
    """The standard streams of a process, and what programs write there that it has started."""

    def hand_over(self, line: HandedLine) -> bool:
        """Keep first what programs have written until now. Return True when another process keeps the line."""
        ...

    def finish(self) -> None:
        """Keep also what they have written without a line break at its end, because the run ends."""
        ...

    def restore(self) -> None:
        """Put the streams back in their places, whatever a run has done to them."""
        ...


class RunIdentity(NamedTuple):
    """The attempt that a report comes from."""

    run_id: str
    attempt: int
    claim: int
    parent_id: str | None = None
    root_id: str | None = None
