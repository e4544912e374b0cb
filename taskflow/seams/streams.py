"""What the verbs of streams delegate to. Items are JSON documents here; their types are the verbs' matter."""

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from datetime import timedelta
from typing import Literal, NamedTuple, Protocol

from taskflow.seams.waits import Waiter

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


class StreamEngine(Protocol):
    """The verbs, each with its async twin."""

    def append(self, address: StreamAddress, documents: Sequence[bytes], *, closing: bool = False) -> int:
        """Append items at once and return how many there are now; with ``closing`` nothing follows them."""
        ...

    async def aappend(self, address: StreamAddress, documents: Sequence[bytes], *, closing: bool = False) -> int:
        """Append items at once and return how many there are now; with ``closing`` nothing follows them."""
        ...

    def ask(self, address: StreamAddress, index: int, waiter: Waiter) -> None:
        """Let a run's wait be done by an item of one of its input streams."""
        ...

    async def aask(self, address: StreamAddress, index: int, waiter: Waiter) -> None:
        """Let a run's wait be done by an item of one of its input streams."""
        ...

    def writer(self, address: StreamAddress, claim: Callable[[], int] | None = None) -> StreamWriter:
        """Return who appends many items. ``claim`` says under which claim the run's own code writes now."""
        ...

    def read(
        self, address: StreamAddress, start: int, *, timeout: timedelta | None = None, follow: bool = True
    ) -> Generator[bytes]:
        """Yield items from an index on; with ``follow`` those to come, until the run has ended."""
        ...

    def aread(
        self, address: StreamAddress, start: int, *, timeout: timedelta | None = None, follow: bool = True
    ) -> AsyncGenerator[bytes]:
        """Yield items from an index on; with ``follow`` those to come, until the run has ended."""
        ...
