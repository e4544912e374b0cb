"""The operations on the streams of runs: the items that a run appends, and those that it is sent."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from taskflow.errors import RunNotFoundError, StaleClaimError, StreamClosedError, StreamError
from taskflow.seams.streams import StreamAddress
from taskflow.seams.waits import Waiter
from taskflow.store.operations.operation import Operation

MOST_STREAMS: Final = 100
"""The most streams that one run may have, both kinds together."""
READ_BYTES: Final = 256 * 1024
"""The size of what one reading returns, about."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """The most that one stream may hold. ``bytes`` count the JSON and 16 for each item."""

    items: int = 100_000
    bytes: int = 32_000_000


@dataclass(frozen=True, slots=True)
class StreamPart:
    """Items that were read.

    Attributes:
        channel: The channel of the notices that there is more to read.
        is_last: No item will follow, because the run has ended or the stream was closed.
        count: How many items the stream has.
    """

    channel: bytes
    is_last: bool
    count: int
    items: tuple[bytes, ...]


def append_items(
    address: StreamAddress, items: Sequence[bytes], limits: StreamLimits, *, closing: bool = False
) -> Operation[int]:
    """Append items to a stream, all or none. Reads as how many there are then.

    Raises (when read):
        RunNotFoundError: No such run.
        StaleClaimError: The run's own claim has ended.
        StreamClosedError: The run has ended, or the stream was closed.
        StreamError: It would hold too much, or the run would have too many streams.
    """
    args = (
        address.run_id, address.claim or "", address.kind, address.name, secrets.token_urlsafe(6),
        limits.items, limits.bytes, MOST_STREAMS, int(closing), *items,
    )  # fmt: skip

    def read(code: int, value: Any) -> int:
        if code == 1:
            return int(value)
        raise _refusal(address, limits, code, value)

    return Operation("send_items" if address.kind == "input" else "append_items", args, read)


def ask_item(address: StreamAddress, index: int, waiter: Waiter) -> Operation[int]:
    """Let an item of a run's input stream complete its wait, with ``{"index", "item"}`` or ``{"closed": true}``."""
    return Operation("ask_item", (address.run_id, address.name, index, waiter.wait), lambda _, value: int(value))


def read_items(address: StreamAddress, start: int) -> Operation[StreamPart]:
    """Read some items from an index on, counted from 0.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: Any) -> StreamPart:
        if code == 0:
            raise RunNotFoundError(address.run_id)
        channel, is_last, count, *items = value
        return StreamPart(channel, bool(is_last), int(count), tuple(items))

    return Operation("read_items", (address.run_id, address.kind, address.name, start, READ_BYTES), read)


def list_streams(run_id: str) -> Operation[tuple[str, ...]]:
    """Read the names of a run's streams that have an item."""
    return Operation("list_streams", (run_id,), lambda _, names: tuple(name.decode() for name in names))


def _refusal(address: StreamAddress, limits: StreamLimits, code: int, value: Any) -> Exception:
    run_id, name = address.run_id, address.name
    if code == 0 and value == b"MISSING":
        return RunNotFoundError(run_id)
    if code == 0 and address.claim is not None:
        return StaleClaimError(run_id, address.claim, value.decode())
    if code == 0:
        return StreamClosedError(run_id, name, f"the run has ended ({value.decode()})")
    if code == 5:
        return StreamClosedError(run_id, name, "it was closed")
    remedy = "Append larger items less often, or raise TASKFLOW_STREAM_ITEMS."
    what = f"would hold {int(value):,} items and the limit is {limits.items:,}"
    if code == 3:
        remedy = "Store the data elsewhere and append its address, or raise TASKFLOW_STREAM_BYTES."
        what = f"would hold {int(value):,} bytes and the limit is {limits.bytes:,}"
    if code == 4:
        remedy = "Append to fewer of them: what differs may be a field of the items."
        what = f"would be number {int(value):,} of its run and the limit is {MOST_STREAMS:,}"
    return StreamError(name, f"of run {run_id} {what}", remedy)
