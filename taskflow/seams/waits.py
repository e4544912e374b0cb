"""Waits, for verbs and hooks. No I/O: the executing attempt implements ``Waits``."""

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
"""A wait of at most this long is a sleep that keeps its slot, without hooks (Trigger.dev's bound)."""
Instant = datetime | timedelta
"""The end of a timed wait: an aware instant, or a duration from the store's now."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """One item of a run's wait. For example a token or another run completes it.

    Attributes:
        place: The waiting run's place in its queue's order, "" if unknown. Runs that it waits for inherit it.
        is_durable: Whether a replay may begin the wait again. Its runs and batches then have ids derived from ``seed``.
        salt: A part of ``seed``: another one once the run has gone on from an earlier place.
    """

    run_id: str
    wait: str
    index: int = 0
    place: str = ""
    is_durable: bool = False
    salt: str = ""

    @property
    def text(self) -> str:
        """The waiter as text in the store."""
        return f"{self.run_id}\n{self.wait}\n{self.index}"

    @property
    def seed(self) -> str:
        """The text from which the ids of its runs derive."""
        return f"{self.text}\n{self.salt}" if self.salt else self.text

    def at(self, index: int) -> "Waiter":
        """Return another item of the same wait."""
        return Waiter(self.run_id, self.wait, index, self.place, self.is_durable, self.salt)


@dataclass(frozen=True, slots=True)
class Wait:
    """The wait of a run, as ``on_wait`` and ``on_resume`` hooks get it.

    Attributes:
        type: ``"duration"``, ``"token"``, ``"task"`` (one run), ``"batch"`` (several runs), or ``"input"``.
        until: The end of a duration, or the timeout of a token, if it has one.
        token_id: The token that the run waits for.
        run_ids: The runs that the run waits for.
        batch_id: Their batch.
        name: The input stream that the run waits for.
    """

    type: WaitKind
    until: datetime | None = None
    token_id: str | None = None
    run_ids: tuple[str, ...] = ()
    batch_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class WaitRequest:
    """A wait to begin.

    Attributes:
        items: Number of items that must be completed.
        due: The time that completes its only item.
        begin: Called once the store has the wait. It makes the things that complete the items, for example runs, and
            returns the description of the wait. Its error ends the wait and is raised in the run's code.
        abegin: The same in an event loop.
        label: Its name in a durable run's journal.
        kind: Its type, if that is known before it begins.
    """

    items: int = 1
    due: Instant | None = None
    begin: Callable[[Waiter], Wait] | None = None
    abegin: Callable[[Waiter], Awaitable[Wait]] | None = None
    label: str = ""
    kind: WaitKind | None = None
    what: Wait = field(default_factory=lambda: Wait("duration"))

    @property
    def described(self) -> str:
        """Its kind and, behind a space, the name of the token, task or stream."""
        return f"{self.kind or self.what.type} {self.what.token_id or self.what.name or self.label}"


class Waits(Protocol):
    """The waits of the executing attempt.

    Attributes:
        is_durable: Whether short waits are also journaled.
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
    """Set the ``Waits`` of the code inside."""
    token = _current.set(waits)
    try:
        yield
    finally:
        _current.reset(token)


def forbid_waits() -> None:
    """Have the calling code wait no more, because it is in another process now than the one that executes its run."""
    _current.set(None)


def current_waits(context: Context | None = None) -> Waits | None:
    """Return the ``Waits`` of the code of this context, or of another one."""
    return _current.get() if context is None else context.get(_current)


def require_waits(verb: str) -> Waits:
    """Return the ``Waits`` of the calling code.

    Raises:
        OutsideRunError: No run executes here.
    """
    waits = _current.get()
    if waits is None:
        raise OutsideRunError(verb)
    return waits


def end_json(run_id: str, status: RunStatus, error: RunError) -> bytes:
    """Return the JSON with which the end of a run without output completes the item of a wait."""
    document = {"type": error.type, "message": error.message, "traceback": error.traceback}
    return to_json({"run": run_id, "status": status.value, "output": None, "error": document})
