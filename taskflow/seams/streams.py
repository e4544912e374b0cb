"""Addresses of streams, and the writer that an attempt has for each. Items are JSON documents here."""

from typing import Literal, NamedTuple, Protocol

StreamKind = Literal["stream", "input"]
"""What a run tells, and what it is told."""


class StreamAddress(NamedTuple):
    """Which stream of which run. ``claim``: the run's own code writes, under this claim; None: others do."""

    run_id: str
    kind: StreamKind
    name: str
    claim: int | None = None


class StreamWriter(Protocol):
    """Writes items in the background, in order, as many at a time as have gathered while the last write was under way.

    All methods raise what the store has refused meanwhile: StreamError, StreamClosedError, RunNotFoundError, or
    StaleClaimError when the claim is over.
    """

    @property
    def is_dirty(self) -> bool:
        """Whether something is not yet written."""
        ...

    def put(self, document: bytes) -> bool:
        """Write an item soon. Returns whether so much has gathered that ``flush`` is due."""
        ...

    def flush(self) -> None:
        """Return when everything is written, however long the store is away."""
        ...

    async def aflush(self) -> None:
        """Return when everything is written, however long the store is away."""
        ...
