"""What the store does for an attempt that waits, as its two executors offer it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from taskflow.models import RunStatus
from taskflow.seams.waits import Instant

LOOK_SECONDS = 5.0
"""How often a blocked child looks whether it was told to go on although it heard nothing."""


NO_ENTRIES: Final[Mapping[str, bytes]] = {}


@dataclass(frozen=True, slots=True)
class Opening:
    """A wait to open, and those before it whose values are not needed any more.

    Attributes:
        entries: What a durable run's journal keeps with it.
        is_durable: Whether it outlives the attempt.
    """

    name: str
    items: int
    due: Instant | None
    forgotten: Sequence[str] = ()
    entries: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    is_durable: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """Whether the run executes, and which of its waits are done, with the JSON of their items."""

    status: RunStatus
    is_resumed: bool
    values: dict[str, Sequence[bytes]] = field(default_factory=dict[str, Sequence[bytes]])


class WaitStore(Protocol):
    """For blocking code. What it does under a claim that is over raises StaleClaimError."""

    run_id: str
    place: str

    @property
    def claim(self) -> int:
        """The claim under which the attempt writes now."""
        ...

    def open(self, opening: Opening) -> None:
        """Let the store know a wait."""
        ...

    def park(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> bool:
        """Give the slot back until one of these waits is done. False when one is."""
        ...

    def write(self, entries: Mapping[str, bytes]) -> None:
        """Keep entries of a durable run's journal."""
        ...

    def suspend(self) -> bool:
        """Begin to unload a durable run that waits. False when it may go on already."""
        ...

    def listen(self, seconds: float) -> None:
        """Return when the run was told to go on, or after a while."""
        ...

    def read(self, names: Sequence[str]) -> Done:
        """Return what is done, and take the new claim over when the run was resumed."""
        ...

    def close(self, names: Sequence[str]) -> None:
        """Forget waits. A claim that is over is no error."""
        ...


class AsyncWaitStore(Protocol):
    """For coroutines. ``CoroutineWaits.told`` is called when the run was told something."""

    run_id: str
    place: str

    @property
    def claim(self) -> int:
        """The claim under which the attempt writes now."""
        ...

    async def open(self, opening: Opening) -> None:
        """Let the store know a wait."""
        ...

    async def park(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> bool:
        """Give the slot back until one of these waits is done. False when one is."""
        ...

    async def write(self, entries: Mapping[str, bytes]) -> None:
        """Keep entries of a durable run's journal."""
        ...

    async def suspend(self) -> bool:
        """Begin to unload a durable run that waits. False when it may go on already."""
        ...

    async def read(self, names: Sequence[str]) -> Done:
        """Return what is done, and take the new claim over when the run was resumed."""
        ...

    async def resume(self) -> None:
        """Let the run go on although no wait is done."""
        ...

    def close(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> None:
        """Forget waits soon, and keep what the journal says about them then. A claim that is over is no error."""
        ...

    def parked(self) -> None:
        """The run's code only waits from now on."""
        ...

    def resumed(self) -> None:
        """It executes again."""
        ...
