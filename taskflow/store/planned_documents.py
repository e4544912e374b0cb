"""Planned triggers as JSON, so that they outlive the process that has planned them.

Fields that a later version adds have defaults, and those that it no longer has are ignored: a document is made into
runs by the version that finds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import TypeAdapter, ValidationError

from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.models import BatchError
from taskflow.seams.batches import RefusedItem
from taskflow.store.operations.making import NewRun


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """One run, or the runs of a batch with the items that were refused.

    Attributes:
        batch_id: None for one run.
        key: The idempotency key of the batch. Those of its runs are theirs.
    """

    items: list[NewRun | RefusedItem]
    batch_id: str | None = None
    key: IdempotencyKey | None = None
    format: Literal[1] = 1


_DOCUMENTS: Final = TypeAdapter(PlannedDocument)


def dump_run(new: NewRun) -> bytes:
    """Return a run's document."""
    return _dump(PlannedDocument([new]))


def dump_batch(
    batch_id: str, runs: Sequence[NewRun], errors: Sequence[BatchError], key: IdempotencyKey | None
) -> bytes:
    """Return a batch's document. Its runs are in the order of its items, without those of ``errors``."""
    items: list[NewRun | RefusedItem] = [*runs]
    for error in sorted(errors, key=lambda each: each.index):
        items.insert(error.index, RefusedItem(error.task_id, error.type, error.message))
    return _dump(PlannedDocument(items, batch_id, key))


def load(document: bytes) -> PlannedDocument:
    """Return what a document has.

    Raises:
        ValueError: It is not one. The text has no values of it.
    """
    try:
        return _DOCUMENTS.validate_json(document)
    except ValidationError as invalid:
        first = invalid.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"This is no planned trigger: {place or 'the document'}: {first['msg']}") from None


def _dump(planned: PlannedDocument) -> bytes:
    return _DOCUMENTS.dump_json(planned, exclude_defaults=True)
