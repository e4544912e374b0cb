"""Spans: named pieces of a run's work, timed and kept with the run. Those of users are ``logger.span``."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from taskflow.errors import Suspended
from taskflow.errors.base import is_kind
from taskflow.execution.reporting.current import current_live_run
from taskflow.execution.reporting.lines import EndedSpan
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.reporting.span_book import LONGEST_NAME, OpenSpan, SpanBook, TracedKind, around


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
    outer, book = around.get(), live.open_spans()
    begun = book.begin("span", name if type(name) is str else "")
    failed: str | None = None
    around.set((book, begun.number))
    try:
        yield span
    except BaseException as error:
        failed = type(error).__name__[:LONGEST_NAME]
        raise
    finally:
        around.set(outer)  # not by a token: a middleware's two halves may run in two contexts
        book.close(begun)
        live.end_span(EndedSpan(begun.number, begun.parent, name, begun.began_ns, begun.seconds, failed, span.fields))


class traced:  # noqa: N801 - used like a function
    """Keep the code inside as a span of the attempt that executes here, with those that taskflow itself records.

    Args:
        kind: The kind of the work.
        name: Its name, for example that of a step.
        note: A second name, for example that of a hook's function.
        key: Its place in a durable run's journal.
        began_ms: When it began, if an earlier claim has begun it.
    """

    __slots__ = ("_began_ms", "_book", "_live", "_outer", "_span", "_what")

    def __init__(
        self, kind: TracedKind, name: str, note: str = "", *, key: str = "", began_ms: int | None = None
    ) -> None:
        self._what = kind, name, note, key
        self._began_ms = began_ms
        self._live: LiveRun | None = None
        self._book: SpanBook | None = None
        self._span: OpenSpan | None = None
        self._outer: tuple[object, int] | None = None

    def __enter__(self) -> Self:
        live = current_live_run()
        if live is None or live.is_fork:
            return self
        self._outer, self._book = around.get(), live.open_spans()
        self._span = self._book.begin(*self._what)
        if self._began_ms is not None:
            elapsed_ns = max(0, self._span.began_ns - self._began_ms * 1_000_000)
            self._span.began_ns -= elapsed_ns
            self._span.began -= elapsed_ns / 1e9
        around.set((self._book, self._span.number))
        return self

    def tell(self, about: Mapping[str, object]) -> None:
        """Add facts for people."""
        if self._span is not None:
            self._span.about = about

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._book is None or self._span is None:
            return
        around.set(self._outer)
        is_left = error is not None and is_kind(error, Suspended)
        failed = None if error is None or is_left else type(error).__name__[:LONGEST_NAME]
        self._book.end(self._span, failed, is_left=is_left)
