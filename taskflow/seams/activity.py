"""Counts of the runs that ended in a period, and how long they took: values that pages show. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from taskflow.models import RunStatus


@dataclass(frozen=True, slots=True)
class Bar:
    """The runs that ended in one interval.

    Attributes:
        start: Its first instant; its end is the start of the next bar.
        failed: Those that ended neither COMPLETED nor CANCELED.
    """

    start: datetime
    completed: int = 0
    failed: int = 0
    canceled: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.completed + self.failed + self.canceled


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """The most runs of a queue that executed, and that waited, in a part of a period that begins at ``start``."""

    start: datetime
    running: int
    queued: int


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Median and 95 % of some durations, within 9 %. None without any."""

    p50: timedelta | None = None
    p95: timedelta | None = None


@dataclass(frozen=True, slots=True)
class TaskActivity:
    """The runs of one task, or of all, that ended in a period.

    Attributes:
        took: From the first attempt's start to the end of the run. Runs that never started are not in it.
        waited: From the instant at which a run might start to its first attempt.
        mean_took: The mean of the same durations as ``took``.
        bars: Parts of the period, of equal length, oldest first.
    """

    counts: Mapping[RunStatus, int] = field(default_factory=dict[RunStatus, int])
    took: Quantiles = field(default_factory=Quantiles)
    waited: Quantiles = field(default_factory=Quantiles)
    mean_took: timedelta | None = None
    bars: Sequence[Bar] = ()

    @property
    def total(self) -> int:
        """The number of runs."""
        return sum(self.counts.values())

    @property
    def completed(self) -> int:
        """The runs that completed."""
        return self.counts.get(RunStatus.COMPLETED, 0)

    @property
    def failed(self) -> int:
        """The runs that ended neither COMPLETED nor CANCELED."""
        return sum(count for status, count in self.counts.items() if status.is_failed)

    @property
    def failed_share(self) -> float | None:
        """The failed runs as a share of those that completed or failed, None without any of these."""
        ended = self.completed + self.failed
        return self.failed / ended if ended else None
