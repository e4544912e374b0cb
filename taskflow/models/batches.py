"""Batches and bulk actions at one moment, as values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class BatchStatus(StrEnum):
    """Status of a batch. The values are those of Trigger.dev's API."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    PARTIAL_FAILED = "PARTIAL_FAILED"
    ABORTED = "ABORTED"


@dataclass(frozen=True, slots=True)
class BatchError:
    """The error of a batch's item that did not become a run. ``type`` is its class, ``index`` the item's, from 0."""

    index: int
    task_id: str
    type: str
    message: str


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Counts of a batch's runs. ``finished`` also counts those whose record has expired."""

    total: int
    finished: int = 0
    completed: int = 0
    failed: int = 0
    canceled: int = 0
    executing: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: its record in the store at one moment.

    Attributes:
        status: PENDING while its items are written; ABORTED when writing was given up, or no item became a run;
            PARTIAL_FAILED while runs are alive and some items did not become one; else PROCESSING, then COMPLETED.
        item_count: Number of its items; while PENDING, of the items written so far, or announced over HTTP.
        run_ids: The runs in the order of their items, without the items that did not become one. Items with one
            idempotency key are one run, which is listed for each.
        progress: Counts each run once.
        updated_at: The instant at which items were last written.
    """

    id: str
    status: BatchStatus
    item_count: int
    run_ids: tuple[str, ...]
    errors: tuple[BatchError, ...]
    progress: BatchProgress
    created_at: datetime
    idempotency_key: str | None = None
    updated_at: datetime | None = None

    @property
    def run_count(self) -> int:
        """Number of its runs; items with one idempotency key share one."""
        return self.progress.total


class BulkStatus(StrEnum):
    """Status of a bulk action."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    ABORTED = "ABORTED"
