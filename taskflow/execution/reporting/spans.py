"""``logger.span``: a named piece of a run's work, timed and kept with the run."""

import time
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final, Self

from taskflow.execution.reporting.current import current_live_run
from taskflow.execution.reporting.lines import SpanTold
from taskflow.execution.reporting.live_run import LiveRun

_around: Final[ContextVar[tuple[LiveRun, int] | None]] = ContextVar("taskflow_span", default=None)


class Span:
    """Times the code inside ``with``. Coroutines and threads have spans of their own; one inside another is its child.

    Outside of a run it does nothing.
    """

    def __init__(self, name: str, fields: dict[str, object]) -> None:
        self._name = name
        self._fields = fields
        self._live: LiveRun | None = None

    def set(self, **fields: object) -> None:
        """Add fields that are known only now."""
        self._fields |= fields

    def __enter__(self) -> Self:
        self._live = current_live_run()
        if self._live is not None:
            around = _around.get()
            self._parent = around[1] if around is not None and around[0] is self._live else None
            self._id = self._live.next_span()
            self._token: Token[tuple[LiveRun, int] | None] = _around.set((self._live, self._id))
        self._began_ns, self._began = time.time_ns(), time.monotonic()
        return self

    def __exit__(
        self, error: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is None:
            return
        seconds = time.monotonic() - self._began
        _around.reset(self._token)
        failed = None if error is None else error.__name__
        self._live.tell_span(
            SpanTold(self._id, self._parent, self._name, self._began_ns, seconds, failed, self._fields)
        )
