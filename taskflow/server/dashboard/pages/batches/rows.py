"""Batches as the table shows them: a bar of their runs, and what failed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from weakref import WeakKeyDictionary

from taskflow.engine.engine import Engine
from taskflow.errors import BatchNotFoundError
from taskflow.models import Batch, BatchStatus
from taskflow.server.dashboard.shared_reads import shared

_SECONDS: Final = 1.8
_MOST_ENDED: Final = 1000


@dataclass(frozen=True, slots=True)
class Bar:
    """Shares of a batch's runs, in percent: each part as (begin, length)."""

    completed: tuple[float, float]
    failed: tuple[float, float]
    canceled: tuple[float, float]
    executing: tuple[float, float]

    @classmethod
    def of(cls, batch: Batch) -> "Bar":
        """Return the bar of a batch with runs. Runs whose records have expired count as completed."""
        counts, total = batch.progress, max(1, batch.progress.total)
        expired = counts.finished - counts.completed - counts.failed - counts.canceled
        begin, parts = 0.0, list[tuple[float, float]]()
        for count in (counts.completed + expired, counts.failed, counts.canceled, counts.executing):
            length = 100 * count / total
            parts.append((round(begin, 2), round(length, 2)))
            begin += length
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch in the table.

    Attributes:
        task: The task of its first run; None when that is not known any more.
        word: Its status in words.
        percent: The share of its runs that have ended.
    """

    id: str
    task: str | None
    key: str | None
    word: str
    tone: str
    icon: str
    items: int
    runs: int
    ended: int
    percent: int
    failed: int
    refused: int
    bar: Bar
    made_at: datetime
    is_live: bool

    @classmethod
    def of(cls, batch: Batch, task: str | None) -> "BatchRow":
        """Return the row of a batch."""
        word, tone, icon = _words(batch)
        counts = batch.progress
        return cls(
            id=batch.id,
            task=task or (batch.errors[0].task_id if batch.errors else None),
            key=batch.idempotency_key,
            word=word,
            tone=tone,
            icon=icon,
            items=batch.item_count,
            runs=counts.total,
            ended=counts.finished,
            percent=counts.finished * 100 // counts.total if counts.total else 0,
            failed=counts.failed,
            refused=len(batch.errors),
            bar=Bar.of(batch),
            made_at=batch.created_at,
            is_live=batch.status in (BatchStatus.PENDING, BatchStatus.PROCESSING, BatchStatus.PARTIAL_FAILED),
        )


_ENDED: Final[WeakKeyDictionary[Engine, dict[str, BatchRow]]] = WeakKeyDictionary()
"""Rows of batches of which nothing changes any more, so that their runs are not counted again."""


async def batch_rows(engine: Engine, batch_ids: Sequence[str]) -> list[BatchRow]:
    """Return the rows of batches; those whose records have expired are left out."""
    rows = await asyncio.gather(*(_row(engine, batch_id) for batch_id in batch_ids))
    return [row for row in rows if row is not None]


async def read_batch(engine: Engine, batch_id: str) -> Batch:
    """Return a batch, for all pages that show it.

    Raises:
        BatchNotFoundError: No such batch.
    """
    return await shared(engine, f"batch {batch_id}", _SECONDS, lambda: engine.batches.aretrieve(batch_id))


async def row_of(engine: Engine, batch: Batch) -> BatchRow:
    """Return the row of a batch."""
    first = await engine.feed().records.read_many(list(batch.run_ids[:1]))
    return BatchRow.of(batch, first[0].task_id if first else None)


async def _row(engine: Engine, batch_id: str) -> BatchRow | None:
    ended = _ENDED.setdefault(engine, {})
    if batch_id in ended:
        return ended[batch_id]
    try:
        row = await row_of(engine, await read_batch(engine, batch_id))
    except BatchNotFoundError:
        return None
    if not row.is_live:
        if len(ended) >= _MOST_ENDED:
            ended.pop(next(iter(ended)))
        ended[batch_id] = row
    return row


def _words(batch: Batch) -> tuple[str, str, str]:
    refused = f", {len(batch.errors):,} refused" if batch.errors else ""
    match batch.status:
        case BatchStatus.PENDING:
            return "Being written", "blue", "s-EXECUTING"
        case BatchStatus.PROCESSING:
            return "Processing", "blue", "s-EXECUTING"
        case BatchStatus.PARTIAL_FAILED:
            return f"Partial{refused}", "amber", "s-PENDING_VERSION"
        case BatchStatus.ABORTED:
            return f"Aborted{refused}", "grey", "s-CANCELED"
        case BatchStatus.COMPLETED:
            return f"Completed{refused}", "amber" if batch.errors else "green", "s-COMPLETED"
