"""Protocols of the store for an attempt that waits: one for blocking code, one for coroutines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from taskflow.models import RunStatus
from taskflow.seams.waits import Instant

LOOK_SECONDS = 5.0
"""Longest pause between two looks of a blocked child that was not notified."""


NO_ENTRIES: Final[Mapping[str, bytes]] = {}


@dataclass(frozen=True, slots=True)
class Opening:
    """A wait to open, and the waits before it whose values are not needed any more.

    Attributes:
        what: Its kind and name, for people.
        entries: Journal entries of a durable run to write with it.
        is_durable: Whether the wait outlives the attempt.
    """

    name: str
    items: int
    due: Instant | None
    forgotten: Sequence[str] = ()
    entries: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    is_durable: bool = False
    what: str = "duration"


@dataclass(frozen=True, slots=True)
class Done:
    """Status of the run, and its waits that are done, with the JSON of their items."""

    status: RunStatus
    is_resumed: bool
    values: dict[str, Sequence[bytes]] = field(default_factory=dict[str, Sequence[bytes]])


class WaitStore(Protocol):
    """The store for blocking code. A write under a claim that has ended raises StaleClaimError, except ``close``."""

    run_id: str
    place: str

    @property
    def claim(self) -> int:
        """The claim under which the attempt writes now."""
        ...

    def open(self, opening: Opening) -> None:
        """Open a wait in the store."""
        ...

    def park(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> bool:
        """Give the slot back until one of these waits is done. Returns False when one is done already."""
        ...

    def write(self, entries: Mapping[str, bytes]) -> None:
        """Write entries of a durable run's journal."""
        ...

    def suspend(self) -> bool:
        """Begin to unload a durable run that waits. Returns False when it may go on already."""
        ...

    def listen(self, seconds: float) -> None:
        """Return when the run may go on, or after some seconds."""
        ...

    def read(self, names: Sequence[str]) -> Done:
        """Return the waits that are done, and adopt the new claim when the run was resumed."""
        ...

    def close(self, names: Sequence[str]) -> None:
        """Forget waits. A claim that has ended is not an error."""
        ...


class AsyncWaitStore(Protocol):
    """The store for coroutines. ``CoroutineWaits.notify`` is called when a wait is done or the run may go on."""

    run_id: str
    place: str

    @property
    def claim(self) -> int:
        """The claim under which the attempt writes now."""
        ...

    async def open(self, opening: Opening) -> None:
        """Open a wait in the store."""
        ...

    async def park(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> bool:
        """Give the slot back until one of these waits is done. Returns False when one is done already."""
        ...

    async def write(self, entries: Mapping[str, bytes]) -> None:
        """Write entries of a durable run's journal."""
        ...

    async def suspend(self) -> bool:
        """Begin to unload a durable run that waits. Returns False when it may go on already."""
        ...

    async def read(self, names: Sequence[str]) -> Done:
        """Return the waits that are done, and adopt the new claim when the run was resumed."""
        ...

    async def resume(self) -> None:
        """Resume the run although no wait is done."""
        ...

    def close(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> None:
        """Forget waits soon, and write these entries of the journal then. A claim that has ended is not an error."""
        ...

    def pause(self) -> None:
        """Stop the run's time and give its place in the pool back: its code only waits from now on."""
        ...

    def unpause(self) -> None:
        """Start the run's time again and take a place in the pool: its code executes again."""
        ...
