"""Addresses and writers of streams. Items are JSON documents here."""

from typing import Literal, NamedTuple, Protocol

StreamKind = Literal["stream", "input"]
"""``stream``: items that a run appends. ``input``: items that are sent to a run."""


class StreamAddress(NamedTuple):
    """The address of a stream. ``claim``: that of the run's own code when it writes; None for other writers."""

    run_id: str
    kind: StreamKind
    name: str
    claim: int | None = None


class StreamWriter(Protocol):
    """Writes items in the background, in order. The items that gather during a write share the next one.

    All methods raise the error of an item that the store has refused: StreamError, StreamClosedError,
    RunNotFoundError, or StaleClaimError when the claim has ended.
    """

    @property
    def is_dirty(self) -> bool:
        """Whether an item is not yet written, or its refusal not yet raised."""
        ...

    def put(self, document: bytes) -> bool:
        """Write an item soon. Returns whether so much has gathered that the caller must ``flush``."""
        ...

    def flush(self) -> None:
        """Return once everything is written, however long the store is unavailable."""
        ...

    async def aflush(self) -> None:
        """Return once everything is written, however long the store is unavailable."""
        ...
