"""Spans (``logger.span``): named pieces of a run's work, timed and kept with the run."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from taskflow.execution.reporting.current import current_live_run
from taskflow.execution.reporting.lines import EndedSpan
from taskflow.execution.reporting.live_run import LiveRun

_LONGEST_NAME: Final = 256
_around: Final[ContextVar[tuple[LiveRun, int] | None]] = ContextVar("taskflow_span", default=None)


class Span:
    """The fields of a piece of work, to which its code may add."""

    def __init__(self, fields: dict[str, object]) -> None:
        self.fields = fields

    def set(self, **fields: object) -> None:
        """Add fields."""
        self.fields |= fields


@contextmanager
def timed(name: str, fields: dict[str, object]) -> Generator[Span]:
    """Keep the code inside as a span of its run. Outside of a run this does nothing.

    A span within another is its child. Spans of parallel coroutines and threads are not each other's children.
    """
    span = Span(fields)
    live = current_live_run()
    if live is None:
        yield span
        return
    around = _around.get()
    parent = around[1] if around is not None and around[0] is live else None
    number = live.begin_span()
    began_ns, began = time.time_ns(), time.monotonic()
    failed: str | None = None
    _around.set((live, number))
    try:
        yield span
    except BaseException as error:
        failed = type(error).__name__[:_LONGEST_NAME]
        raise
    finally:
        _around.set(around)  # not by a token: a middleware's two halves may run in two contexts
        live.end_span(EndedSpan(number, parent, name, began_ns, time.monotonic() - began, failed, span.fields))
