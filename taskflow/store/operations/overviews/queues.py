"""Queues for people: the run that has waited longest in each, and the concurrency keys of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from taskflow.store.operations.encoding import instant
from taskflow.store.operations.explanation import Explained, read_standing
from taskflow.store.operations.operation import Operation

KEYS_PER_PAGE: Final = 20
_IDLE: Final = "idle"


@dataclass(frozen=True, slots=True)
class QueueHead:
    """A queue and the run in it that has waited longest to start.

    Attributes:
        used: Slots that runs without a concurrency key hold; 0 of a queue without limits.
        total_used: Slots that all its runs hold.
        oldest: The run that has waited longest, with the facts about why it does not start; None when none is queued.
        oldest_at: Since when it could start.
    """

    name: str
    used: int
    total_used: int
    oldest: Explained | None = None
    oldest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueueHeads:
    """The queues of a shard, and the slots that the environment has given there."""

    environment_used: int
    heads: tuple[QueueHead, ...]


@dataclass(frozen=True, slots=True)
class QueueKey:
    """A concurrency key of a queue; "" stands for the runs without one.

    Attributes:
        used: Slots that its runs hold.
        oldest_at: Since when its oldest queued run could start; None when none is queued.
    """

    key: str
    queued: int
    used: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class QueueKeyPage:
    """A page of a queue's concurrency keys, the longest wait first.

    Attributes:
        limit: How many runs of one key may execute at a time; None: as many as the queue's limit allows.
        with_queued: Keys with queued runs, on all pages.
        idle: Known keys without.
        cursor: For the next page; None on the last one.
    """

    keys: tuple[QueueKey, ...]
    limit: int | None
    with_queued: int
    idle: int
    cursor: str | None


def read_queue_heads(queue: str = "") -> Operation[QueueHeads]:
    """Read one queue, or all of a shard, with the run that has waited longest in each."""

    def read(_: int, value: Any) -> QueueHeads:
        used, rows = value
        return QueueHeads(int(used), tuple(_head(*row) for row in rows))

    return Operation("read_queue_heads", (queue,), read)


def read_queue_keys(queue: str, cursor: str = "", most: int = KEYS_PER_PAGE) -> Operation[QueueKeyPage]:
    """Read a page of a queue's concurrency keys. A cursor that no page has returned reads as the first page's."""
    order, _, key = cursor.partition(" ")
    is_ours = order == _IDLE or (order.isascii() and order.isdigit() and len(order) < 20)

    def read(_: int, value: Any) -> QueueKeyPage:
        limit, with_queued, idle, rows = value
        shown = rows[:most]
        last = shown[-1] if len(rows) > most else None
        return QueueKeyPage(
            tuple(_key(*row) for row in shown),
            int(limit) if limit != b"" else None,
            int(with_queued),
            int(idle),
            f"{last[2].decode() or _IDLE} {last[0].decode()}" if last else None,
        )

    return Operation("read_queue_keys", (queue, most + 1, order if is_ours else "", key), read)


def _head(name: bytes, used: int, total_used: int, standing: Sequence[Any]) -> QueueHead:
    oldest = read_standing(*standing) if standing else None
    since = _since(oldest.fields.get("order"), oldest.fields.get("priority", b"0")) if oldest else None
    return QueueHead(name.decode(), int(used), int(total_used), oldest, since)


def _key(key: bytes, queued: int, order: bytes, priority: bytes | None, used: int) -> QueueKey:
    return QueueKey(key.decode(), int(queued), int(used), _since(order, priority or b"0"))


def _since(order: bytes | None, priority: bytes) -> datetime | None:
    """Return the instant from which a run could start: its place in the order is earlier by its priority."""
    return instant((int(order) + int(priority)) // 1000) if order else None
