"""What the verbs of batches delegate to. See ``engine``."""

from collections.abc import AsyncIterable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from taskflow.definition.calls.batch_item import AnyTask, BatchOptions
from taskflow.definition.documents.payload import OutputType
from taskflow.models import Batch, BatchError, RunError, RunStatus
from taskflow.seams.waits import Waiter

RunEnd = tuple[RunStatus, bytes | None, RunError | None]
"""A run's final status, output JSON and error."""


@dataclass(frozen=True, slots=True)
class BatchRuns:
    """What became of the items of a batch.

    Attributes:
        run_ids: By item; None for one that became no run.
        outputs: What the tasks return, by item; one for all when it is one task.
    """

    batch_id: str
    run_ids: Sequence[str | None]
    errors: Sequence[BatchError]
    outputs: Sequence[OutputType | None]


class BatchEngine(Protocol):
    """The verbs of batches, each with its async twin."""

    def trigger(
        self,
        task: AnyTask | str | None,
        items: Iterable[object],
        options: BatchOptions,
        waiter: Waiter | None = None,
    ) -> BatchRuns:
        """Make a run of each item: a payload or ``BatchItem`` of the task; without one, of the task beside it.

        The end of each, or its being wrong, completes the item of its index in the waiter's wait.
        """
        ...

    async def atrigger(
        self,
        task: AnyTask | str | None,
        items: Iterable[object] | AsyncIterable[object],
        options: BatchOptions,
        waiter: Waiter | None = None,
    ) -> BatchRuns:
        """Make a run of each item."""
        ...

    def retrieve(self, batch_id: str) -> Batch:
        """Return a batch's record."""
        ...

    async def aretrieve(self, batch_id: str) -> Batch:
        """Return a batch's record."""
        ...

    def wait(self, run_ids: Sequence[str], timeout: timedelta | None) -> list[RunEnd]:
        """Return how runs ended, once all of them have."""
        ...

    async def await_(self, run_ids: Sequence[str], timeout: timedelta | None) -> list[RunEnd]:
        """Return how runs ended, once all of them have."""
        ...
