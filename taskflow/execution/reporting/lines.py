"""The JSON of log lines and spans, and the limits of an attempt."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from taskflow.texts import escaped_json

LARGEST_LINE: Final = 8192
_CUT: Final = " ... (cut)"
_DEEPEST: Final = 20


@dataclass(frozen=True, slots=True)
class LineLimits:
    """Most lines and bytes of a run. One more line marks that they were truncated."""

    lines: int = 10_000
    bytes: int = 1_000_000


class EndedSpan(NamedTuple):
    """A span that has ended. ``id`` and ``parent`` count an attempt's spans from 1."""

    id: int
    parent: int | None
    name: str
    began_ns: int
    seconds: float
    error: str | None
    fields: dict[str, object]


class LineCounter:
    """The counter of an attempt's lines and spans, from 1 to the limits. Thread-safe.

    Attributes:
        dropped: Number of lines and spans beyond the limits.
    """

    def __init__(self, limits: LineLimits) -> None:
        self._limits = limits
        self._lock = threading.RLock()  # a signal handler may log
        self._size = 0
        self._is_truncated = False
        self.count = self.dropped = 0

    def line(
        self,
        claim: int,
        attempt: int,
        level: str,
        logger: str,
        message: str,
        fields: dict[str, object],
        within: int | None = None,
    ) -> bytes:
        """Return a line's JSON.

        ``{"attempt", "claim", "seq", "time", "level", "logger", "within", "message", "fields"}``: ``claim`` is the one
        under which the code was loaded, ``seq`` counts its lines, so that one that was sent twice is recognised,
        ``time`` is Unix milliseconds, ``within`` the number of the span around it, if there is one. b"" when the limits
        are reached.
        """
        line: dict[str, object] = {"time": time.time_ns() // 1000 / 1000, "level": level, "logger": logger[:256]}
        if within is not None:
            line["within"] = within
        return self._counted({}, claim, attempt, line, message, fields)

    def trace(self, claim: int, attempt: int, spans: Sequence[str]) -> bytes:
        """Return the JSON of spans, given as JSON: ``{"trace": [spans], "attempt", "claim", "seq"}``.

        b"" when the limits are reached.
        """
        with self._lock:
            if self._is_truncated or self.count >= self._limits.lines or self._size >= self._limits.bytes:
                self.dropped += len(spans)
                return b""
            self.count += 1
            numbers = f'"attempt":{attempt},"claim":{claim},"seq":{self.count}'
            document = f'{{"trace":[{",".join(spans)}],{numbers}}}'.encode()
            self._size += len(document)
            return document

    def take_dropped(self) -> bytes:
        """Return the JSON that reports how many lines were dropped since the last call, b"" for none."""
        with self._lock:
            dropped, self.dropped = self.dropped, 0
        return b'{"dropped":%d}' % dropped if dropped else b""

    def span(self, claim: int, attempt: int, span: EndedSpan) -> bytes:
        """Return a span's JSON.

        ``{"span", "parent", "attempt", "claim", "seq", "time", "ms", "error", "message", "fields"}``: ``time`` is when
        it began, ``ms`` how long it took, ``message`` its name. It begins with ``{"span":``, by which
        ``append_logs.lua`` recognises it. b"" when the limits are reached.
        """
        line: dict[str, object] = {"time": span.began_ns // 1000 / 1000, "ms": round(span.seconds * 1000, 3)}
        span_fields: dict[str, object] = {"span": span.id, "parent": span.parent}
        return self._counted(span_fields, claim, attempt, line | {"error": span.error}, span.name, span.fields)

    def _counted(
        self,
        span_fields: dict[str, object],
        claim: int,
        attempt: int,
        line: dict[str, object],
        message: str,
        fields: dict[str, object],
    ) -> bytes:
        with self._lock:
            if self._is_truncated:
                self.dropped += 1
                return b""
            if self.count >= self._limits.lines or self._size >= self._limits.bytes:
                self._is_truncated = True
                self.dropped += 1
                line = {"time": time.time_ns() // 1000 / 1000, "level": "WARNING", "logger": "taskflow.run"}
                span_fields, fields = {}, {}
                message = (
                    f"Truncated: an attempt's first {self._limits.lines:,} lines and {self._limits.bytes:,} bytes are "
                    "kept. Raise TASKFLOW_LOG_LINES or TASKFLOW_LOG_BYTES."
                )
            self.count += 1
            numbers: dict[str, object] = {"attempt": attempt, "claim": claim, "seq": self.count}
            document = _fitting(span_fields | numbers | line, _text(message), fields)
            self._size += len(document)
            return document


def _text(message: object) -> str:
    """Return a message as text: callers without a type checker log anything."""
    return message if type(message) is str else str(_plain(message, _DEEPEST))


def _fitting(line: dict[str, object], message: str, fields: dict[str, object]) -> bytes:
    if len(_json(fields)) > LARGEST_LINE // 2:
        message, fields = f"{message[:LARGEST_LINE]}{_CUT}", {}
    kept = LARGEST_LINE
    while True:  # JSON may need several bytes for a character
        shown = message if len(message) <= kept else f"{message[:kept]}{_CUT}"
        document = _json(line | {"message": shown, "fields": fields})
        if len(document) <= LARGEST_LINE:
            return document
        kept //= 2


def _json(line: dict[str, object]) -> bytes:
    try:
        document = json.dumps(line, ensure_ascii=False, default=str, separators=(",", ":"))
    except Exception:  # noqa: BLE001 - a field's own code may raise anything, and names of fields may be anything
        document = json.dumps(_plain(line, 0), ensure_ascii=False, separators=(",", ":"))
    return escaped_json(document).encode()


def _plain(value: object, depth: int) -> object:
    """Return a value as JSON takes it, whatever its code raises: what cannot be shown is named by its type."""
    try:
        kind: type[object] = type(value)
        if kind is dict and depth < _DEEPEST:
            members = cast("dict[object, object]", value).items()
            return {str(_plain(name, _DEEPEST)): _plain(member, depth + 1) for name, member in members}
        if kind in (list, tuple) and depth < _DEEPEST:
            return [_plain(item, depth + 1) for item in cast("list[object]", value)]
        if value is None or kind in (bool, float):
            return value
        text = str(value)
        return int(text) if kind is int else text
    except Exception:  # noqa: BLE001 - as above
        return f"(a {type(value).__name__} that can't be shown)"
