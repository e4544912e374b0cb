"""The record of a batch, from the store's records of the batch and its runs."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from taskflow.engine.round_trips import Write
from taskflow.models import Batch, BatchProgress, BatchStatus, RunStatus
from taskflow.store import operations
from taskflow.store.operations.batches import STATUSES_A_SCRIPT, StoredBatch
from taskflow.store.wire import shard_of_run

ABANDONED_AFTER: Final = timedelta(minutes=30)
"""Time after which an incomplete batch is ABORTED, because its writer has died."""


def status_reads(stored: StoredBatch) -> list[Write]:
    """Return the operations that read the statuses of its runs."""
    return [
        (operations.batches.read_statuses(ids[start : start + STATUSES_A_SCRIPT]), shard)
        for shard, ids in _distinct(stored).items()
        for start in range(0, len(ids), STATUSES_A_SCRIPT)
    ]


def batch_of(batch_id: str, stored: StoredBatch, parts: Sequence[Sequence[RunStatus | None]]) -> Batch:
    """Return the record of a batch.

    Args:
        parts: The results of ``status_reads``; None for a run that has left the store.
    """
    counts = Counter(status for part in parts for status in part)
    total = sum(counts.values())
    progress = BatchProgress(
        total=total,
        finished=sum(count for status, count in counts.items() if status is None or status.is_finished),
        completed=counts[RunStatus.COMPLETED],
        failed=sum(count for status, count in counts.items() if status is not None and status.is_failed),
        canceled=counts[RunStatus.CANCELED],
        executing=counts[RunStatus.EXECUTING],
    )
    return Batch(
        id=batch_id,
        status=_status(stored, progress),
        item_count=_item_count(stored),
        run_ids=tuple(run_id for run_id in stored.run_ids if run_id is not None),
        errors=stored.errors,
        progress=progress,
        created_at=stored.created_at,
        idempotency_key=stored.key,
        updated_at=stored.written_at,
    )


def _item_count(stored: StoredBatch) -> int:
    if stored.count is not None:
        return stored.count
    return len(stored.run_ids) if stored.expected is None else stored.expected


def _status(stored: StoredBatch, progress: BatchProgress) -> BatchStatus:
    if stored.count is None:
        is_abandoned = stored.now - stored.written_at > ABANDONED_AFTER
        return BatchStatus.ABORTED if is_abandoned else BatchStatus.PENDING
    if stored.count and not progress.total:
        return BatchStatus.ABORTED
    if progress.finished == progress.total:
        return BatchStatus.COMPLETED
    return BatchStatus.PARTIAL_FAILED if stored.errors else BatchStatus.PROCESSING


def _distinct(stored: StoredBatch) -> dict[int, list[str]]:
    by_shard: dict[int, list[str]] = {}
    for run_id in dict.fromkeys(run_id for run_id in stored.run_ids if run_id is not None):
        by_shard.setdefault(shard_of_run(run_id) or 0, []).append(run_id)
    return by_shard
