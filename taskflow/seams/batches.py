"""Results of the engine for batches."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskflow.definition.documents.payload import OutputType
from taskflow.models import BatchError, RunError, RunStatus

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
