"""One shape of runs, as ElectricSQL's client polls it: position and bound come back with each request. No I/O.

The server keeps nothing of a subscription. ``offset`` is the position in each shard's events up to which the client has
rows, and ``handle`` is the instant before which runs do not belong to the set.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic_core import to_json

from taskflow.models import Run

_HANDLE: Final = re.compile(r"([0-9]{1,15})-[0-9a-f]{1,32}")
_OFFSET: Final = re.compile(r"[0-9]{1,20}_[0-9]{1,20}(?:-[0-9]{1,20}_[0-9]{1,20})*")
_UP_TO_DATE: Final = {"headers": {"control": "up-to-date"}}


@dataclass(frozen=True, slots=True)
class ShapeRequest:
    """One request for a shape.

    Attributes:
        positions: The client's position in each shard; None at first, and when it has to start over.
        since: The earliest creation of the set's runs, fixed at the first request; None for all.
        handle: The shape's name.
    """

    positions: tuple[int, ...] | None
    since: datetime | None
    handle: str

    @classmethod
    def read(cls, query: Mapping[str, str], shards: int, since: datetime | None) -> "ShapeRequest":
        """Return the request of a query. One that this server did not make up starts over.

        Args:
            since: The bound of a subscription that begins now.
        """
        handle = _HANDLE.fullmatch(query.get("handle", ""))
        offset = query.get("offset", "-1")
        if handle is None or query.get("live") != "true" or _OFFSET.fullmatch(offset) is None:
            began = round(since.timestamp() * 1000) if since else 0
            return cls(None, since, f"{began}-{secrets.token_hex(8)}")
        began = int(handle[1])
        pairs = [part.split("_") for part in offset.split("-")]
        positions = tuple((int(first) << 20) | min(int(second), (1 << 20) - 1) for first, second in pairs)
        bound = datetime.fromtimestamp(min(began, 253_402_300_799_000) / 1000, UTC) if began else None
        return cls(positions if len(positions) == shards else None, bound, handle[0])

    def has_row(self, run: Run) -> bool:
        """Whether the client may have the row of a run of the set: it was made before the client's position."""
        return self.positions is not None and run.created_at.timestamp() * 1000 < max(self.positions) >> 20


def shape_headers(request: ShapeRequest, positions: Sequence[int]) -> dict[str, str]:
    """Return the headers of an answer. The client ends its subscription without those of a first or of a later one.

    Both are in each answer, because a later request may be answered as a first one.
    """
    offset = "-".join(f"{position >> 20}_{position & (1 << 20) - 1}" for position in positions)
    return {
        "electric-handle": request.handle,
        "electric-offset": offset,
        "electric-up-to-date": "true",
        "electric-schema": "{}",
        "electric-cursor": offset,
        "cache-control": "no-store",
    }


def shape_body(rows: Sequence[Mapping[str, object]], *, is_insert: bool) -> bytes:
    """Return the body of an answer. Rows are handed out only when it says that the client is up to date."""
    operation = "insert" if is_insert else "update"
    messages = [{"key": columns["id"], "value": columns, "headers": {"operation": operation}} for columns in rows]
    return to_json([*messages, _UP_TO_DATE])
