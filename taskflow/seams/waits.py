"""What waits are, for verbs and hooks: no I/O. The attempt that executes says how it waits (``Waits``)."""

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from pydantic_core import to_json

from taskflow.errors import OutsideRunError
from taskflow.models import RunError, RunStatus

WaitKind = Literal["duration", "token", "task", "batch", "input"]
SLEPT: Final = timedelta(seconds=5)
"""Up to this long a wait is a sleep that keeps its slot, without hooks (Trigger.dev's bound)."""
Instant = datetime | timedelta
"""When a timed wait is over: an aware instant, or a duration from the store's now."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """One item of a run's wait, which something elsewhere completes.

    Attributes:
        place: The waiting run's place in its queue's order, "" when that is not known. Runs it waits for take it over.
        is_durable: Whether the wait may be begun again: what it makes gets ids that follow from ``text``.
    """

    run_id: str
    wait: str
    index: int = 0
    place: str = ""
    is_durable: bool = False

    @property
    def text(self) -> str:
        """How the store writes it."""
        return f"{self.run_id}\n{self.wait}\n{self.index}"

    def at(self, index: int) -> "Waiter":
        """Return another item of the same wait."""
        return Waiter(self.run_id, self.wait, index, self.place, self.is_durable)


@dataclass(frozen=True, slots=True)
class Wait:
    """What a run waits for, as ``on_wait`` and ``on_resume`` hooks get it.

    Attributes:
        type: ``"duration"``, ``"token"``, ``"task"`` (one run), ``"batch"`` (several runs), or ``"input"``.
        until: When a duration is over; when a token times out, if it does.
        token_id: The token waited for.
        run_ids: The runs waited for.
        batch_id: Their batch.
        name: The input stream waited for.
    """

    type: WaitKind
    until: datetime | None = None
    token_id: str | None = None
    run_ids: tuple[str, ...] = ()
    batch_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class WaitRequest:
    """A wait on its way.

    Attributes:
        items: How many things must be completed.
        due: When its one item is completed by time.
        begin: Called when the store knows the wait: makes what completes the items, and says what the wait is then.
            What it raises ends the wait and is raised to the run's code.
        abegin: The same in an event loop.
        label: What a durable run's journal calls it.
        kind: Its type, where that is known before it has begun.
    """

    items: int = 1
    due: Instant | None = None
    begin: Callable[[Waiter], Wait] | None = None
    abegin: Callable[[Waiter], Awaitable[Wait]] | None = None
    label: str = ""
    kind: WaitKind | None = None
    what: Wait = field(default_factory=lambda: Wait("duration"))


class Waits(Protocol):
    """How the attempt that executes waits.

    Attributes:
        is_durable: Whether short waits are to be journaled, too.
    """

    @property
    def is_durable(self) -> bool: ...

    def wait(self, request: WaitRequest) -> Sequence[bytes]:
        """Wait, and return the JSON of each item, in their order. In ``def`` tasks."""
        ...

    async def await_(self, request: WaitRequest) -> Sequence[bytes]:
        """Wait, and return the JSON of each item, in their order. In ``async def`` tasks."""
        ...


_current: ContextVar[Waits | None] = ContextVar("taskflow_waits", default=None)


@contextmanager
def using_waits(waits: Waits | None) -> Generator[None]:
    """Say how the code inside waits."""
    token = _current.set(waits)
    try:
        yield
    finally:
        _current.reset(token)


def current_waits(context: Context | None = None) -> Waits | None:
    """Return how the code of this context, or of another one, waits."""
    return _current.get() if context is None else context.get(_current)


def require_waits(verb: str) -> Waits:
    """Return how this code waits.

    Raises:
        OutsideRunError: No run executes here.
    """
    waits = _current.get()
    if waits is None:
        raise OutsideRunError(verb)
    return waits


def end_json(run_id: str, status: RunStatus, error: RunError) -> bytes:
    """Return the end of a run without output as the JSON that completes the item of a wait."""
    document = {"type": error.type, "message": error.message, "traceback": error.traceback}
    return to_json({"run": run_id, "status": status.value, "output": None, "error": document})
