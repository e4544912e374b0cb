"""Keys of a durable run's calls in its journal. No I/O: the executing attempt keeps the journal.

A call's key is its number among the calls of its asyncio task, after the path of that task: ``"3"`` is the third call
of the function itself, ``"2.1"`` the first call of the second task that the function made, by creation.
"""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from taskflow import clock
from taskflow.definition.documents.payload import OutputType
from taskflow.definition.retry import Retry
from taskflow.durations import retry_delay
from taskflow.errors import AbortRun, JournalError, RetryAfter, StaleClaimError


@dataclass(frozen=True, slots=True)
class StepCall:
    """One call of a step, to execute unless the journal has it."""

    name: str
    call: Callable[[], object]
    output: OutputType
    retry: Retry | None = None
    is_async: bool = False

    def delay_after(self, error: Exception, failed: int, random: Callable[[], float]) -> timedelta | None:
        """Return the delay before the next try, None when the step has failed for good.

        Raises:
            WaitError: ``RetryAfter`` was given a time that is not possible.
        """
        if self.retry is None or failed >= self.retry.max_attempts:
            return None
        if isinstance(error, AbortRun | StaleClaimError | JournalError):
            return None
        if isinstance(error, RetryAfter):
            return retry_delay(error, clock.now())
        return self.retry.delay_after(failed, random)


class Journaling(Protocol):
    """The journal of the executing attempt."""

    def step(self, scope: "Scope", call: StepCall) -> object:
        """Return a step's result. In ``def`` tasks."""
        ...

    def astep(self, scope: "Scope", call: StepCall) -> Awaitable[object]:
        """Return a step's result. In ``async def`` tasks."""
        ...

    def value(self, scope: "Scope", name: str, make: Callable[[bytes], object]) -> object:
        """Return the JSON value that a call made the first time. ``make`` gets 32 bytes derived from its key."""
        ...


@dataclass(slots=True)
class Scope:
    """The calls of one asyncio task, or of a ``def`` function."""

    journaling: Journaling
    path: str = ""
    _calls: int = field(default=0, init=False)
    _tasks: int = field(default=0, init=False)

    def next_key(self) -> str:
        """Return the key of the next call."""
        self._calls += 1
        return f"{self.path}{self._calls}"

    def branch(self) -> "Scope":
        """Return the scope of a task that the code of this one makes."""
        self._tasks += 1
        return Scope(self.journaling, f"{self.path}{self._tasks}.")


@dataclass(frozen=True, slots=True)
class WithinStep:
    """The scope of a step's function, whose own calls are not journaled."""

    name: str


JournalScope = Scope | WithinStep | None
NOWHERE: Final[JournalScope] = None
"""The scope of hooks, and of code outside durable runs."""
_current: ContextVar[JournalScope] = ContextVar("taskflow_journal", default=None)


def current_scope() -> JournalScope:
    """Return the scope of the calling code."""
    return _current.get()


@contextmanager
def in_scope(scope: JournalScope) -> Generator[None]:
    """Set the scope of the code inside."""
    token = _current.set(scope)
    try:
        yield
    finally:
        _current.reset(token)


def move_to(scope: JournalScope) -> None:
    """Set the scope of the code of this context from now on."""
    _current.set(scope)
