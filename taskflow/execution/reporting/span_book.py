"""The spans of one attempt: those that are open, and those that have ended and are still to be written.

Spans of middlewares, hooks, the function, steps and waits cost no line each: an attempt's spans are written together,
at its end or when one of them has been open for a second. A killed process leaves those that it has written by then.
"""

import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Final, Literal

from taskflow.texts import escaped_json

TracedKind = Literal["middleware", "hook", "function", "step", "wait", "span"]
LONGEST_NAME: Final = 256
_LARGEST_PART: Final = 6000
"""Characters of the spans of one line."""
_MOST_RUNS: Final = 50
around: Final[ContextVar[tuple[object, int] | None]] = ContextVar("taskflow_span", default=None)
"""The book and number of the span that surrounds the code."""


class OpenSpan:
    """A span that has begun. ``number`` and ``parent`` count the spans of a book from 1.

    Attributes:
        key: The place of a step or wait in a durable run's journal. Spans of one key are the same step or wait.
        about: Facts for people, for example the runs that a wait waits for.
    """

    __slots__ = ("about", "began", "began_ns", "is_written", "key", "kind", "name", "note", "number", "parent")

    def __init__(self, kind: TracedKind, name: str, note: str, number: int, parent: int | None, key: str) -> None:
        self.kind: TracedKind = kind
        self.name, self.note = name, note
        self.number, self.parent, self.key = number, parent, key
        self.began_ns, self.began = time.time_ns(), time.monotonic()
        self.about: Mapping[str, object] = {}
        self.is_written = False

    @property
    def seconds(self) -> float:
        """The time for which it is open."""
        return time.monotonic() - self.began


class SpanBook:
    """The spans of one attempt. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may open a span
        self._numbers = itertools.count(1)
        self._open: dict[int, OpenSpan] = {}
        self._ended: list[str] = []

    def begin(self, kind: TracedKind, name: str, note: str = "", key: str = "") -> OpenSpan:
        """Open a span, within the span of this book that surrounds the code."""
        outer = around.get()
        parent = outer[1] if outer is not None and outer[0] is self else None
        span = OpenSpan(kind, name[:LONGEST_NAME], note[:LONGEST_NAME], next(self._numbers), parent, key)
        with self._lock:
            self._open[span.number] = span
        return span

    def close(self, span: OpenSpan) -> None:
        """Close a span that is written in another way."""
        with self._lock:
            self._open.pop(span.number, None)

    def end(self, span: OpenSpan, error: str | None = None, *, is_left: bool = False) -> None:
        """End a span.

        Args:
            error: The type of the exception that ended it.
            is_left: Whether the code was unloaded within it. A step or wait then goes on in the code's next claim.
        """
        seconds = None if is_left and span.key else span.seconds
        with self._lock:
            self._open.pop(span.number, None)
            if seconds is not None or not span.is_written:
                self._ended.append(_document(span, seconds, error, is_left=is_left))

    @property
    def has_news(self) -> bool:
        """True while a span is to be written."""
        with self._lock:
            return bool(self._ended) or any(not span.is_written for span in self._open.values())

    def take(self, open_for: float | None) -> Iterator[Sequence[str]]:
        """Yield the JSON of the spans to write, as many as fit one line at a time.

        Args:
            open_for: Seconds for which a span must be open to be written before its end. None: only those that ended.
        """
        with self._lock:
            documents, self._ended = self._ended, []
            for span in self._open.values():
                if open_for is not None and not span.is_written and span.seconds >= open_for:
                    span.is_written = True
                    documents.append(_document(span, None, None))
        part: list[str] = []
        size = 0
        for document in documents:
            if part and size + len(document) > _LARGEST_PART:
                yield part
                part, size = [], 0
            part.append(document)
            size += len(document)
        if part:
            yield part


def number_around(book: SpanBook | None) -> int | None:
    """Return the number of the book's span that surrounds the code."""
    outer = around.get() if book is not None else None
    return outer[1] if outer is not None and outer[0] is book else None


def shown_runs(run_ids: Sequence[str]) -> list[str]:
    """Return the ids that are written with a wait."""
    return list(run_ids[:_MOST_RUNS])


def _document(span: OpenSpan, seconds: float | None, error: str | None, *, is_left: bool = False) -> str:
    """Return a span's JSON.

    ``{"id", "parent", "kind", "name", "note", "began", "ms", "error", "left", "key", "about"}``, without those that are
    empty: ``began`` is Unix milliseconds, ``ms`` how long it took. One without ``ms`` has not ended.
    """
    values: dict[str, object] = {
        "id": span.number,
        "parent": span.parent,
        "kind": span.kind,
        "name": span.name,
        "note": span.note,
        "began": span.began_ns // 1000 / 1000,
        "ms": None if seconds is None else round(seconds * 1000, 3),
        "error": error,
        "left": is_left,
        "key": span.key,
        "about": span.about,
    }
    document = json.dumps(
        {name: value for name, value in values.items() if value or name == "ms"},
        ensure_ascii=False,
        default=str,
        separators=(",", ":"),
    )
    return escaped_json(document)
