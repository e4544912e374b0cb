"""Results of the engine for batches."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskflow.definition.documents.payload import OutputType
from taskflow.models import BatchError, RunError, RunStatus

RunEnd = tuple[RunStatus, bytes | None, RunError | None]
"""A run's final status, output JSON and error."""


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """Stands in a batch for an item that was refused elsewhere, before it came here. ``type``: the error's class."""

    task_id: str
    type: str
    message: str


@dataclass(frozen=True, slots=True)
class BatchRuns:
    """The runs and errors that the items of a batch became.

    Attributes:
        run_ids: By item; None for an item that did not become a run.
        outputs: Types of the results, by item; a single one when all items are of one task.
    """

    batch_id: str
    run_ids: Sequence[str | None]
    errors: Sequence[BatchError]
    outputs: Sequence[OutputType | None]
