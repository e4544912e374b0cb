"""The events of a run as parts of its trace: changes of its status, spans of its code, and log lines."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from taskflow.definition.calls.log_line import LogLine
from taskflow.definition.documents.readable import read_json
from taskflow.engine.log_lines import line_of
from taskflow.models import RunStatus
from taskflow.store.events import Event

SpanKey = tuple[int, int]
"""The claim under which the code was loaded, and the span's number."""
_MOST_ITEMS: Final = 50_000
_STATUSES: Final = {status.value: status for status in RunStatus}


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """A span as the code's process has written it. ``took_ms`` is None while it goes on, and if its end was lost."""

    key: SpanKey
    parent: int | None
    attempt: int
    kind: str
    name: str
    note: str
    began_ms: float
    took_ms: float | None
    error: str | None
    is_left: bool
    place: str
    fields: dict[str, object]


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """A log line, and the number of the span around it."""

    line: LogLine
    within: SpanKey | None


@dataclass(slots=True)
class Recorded:
    """The events of one run.

    Attributes:
        statuses: (Unix milliseconds, status), in their order.
        streams: (Unix milliseconds, name) of the streams that the run has begun to write.
    """

    statuses: list[tuple[int, RunStatus]] = field(default_factory=list[tuple[int, RunStatus]])
    spans: dict[SpanKey, RecordedSpan] = field(default_factory=dict[SpanKey, RecordedSpan])
    lines: list[RecordedLine] = field(default_factory=list[RecordedLine])
    streams: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    _seen: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    def add(self, event: Event) -> None:
        """Add what an event says. One that cannot be read is left out, because any process may have written it."""
        if event.kind == "status" and event.value in _STATUSES:
            self.statuses.append((event.at_ms, _STATUSES[event.value]))
        elif event.kind == "stream":
            self.streams.append((event.at_ms, event.value))
        elif event.kind in ("log", "span", "trace"):
            document: Any = read_json(event.value)
            if isinstance(document, dict):
                with suppress(TypeError, ValueError, AttributeError, OverflowError):
                    _add(self, self._seen, event, cast("dict[str, Any]", document))


def recorded(events: Iterable[Event]) -> Recorded:
    """Return what events say."""
    found = Recorded()
    for event in events:
        found.add(event)
    return found


def _add(found: Recorded, seen: set[tuple[int, int]], event: Event, document: dict[str, Any]) -> None:
    sequence = int(document.get("claim", 0)), int(document.get("seq", 0))
    if sequence in seen or len(seen) >= _MOST_ITEMS:
        return
    seen.add(sequence)
    claim, attempt = sequence[0], int(document.get("attempt", 0))
    if event.kind == "trace":
        for each in document["trace"]:
            _merge(found, _traced(claim, attempt, each))
    elif event.kind == "span":
        _merge(found, _user_span(claim, attempt, document))
    elif (line := line_of(event.value)) is not None:
        within = document.get("within")
        found.lines.append(RecordedLine(line, (claim, int(within)) if within is not None else None))


def _merge(found: Recorded, span: RecordedSpan) -> None:
    """Add a span. One that has ended replaces what was written while it was open."""
    known = found.spans.get(span.key)
    if known is None:
        found.spans[span.key] = span
    elif span.took_ms is not None or span.is_left:
        found.spans[span.key] = replace(span, fields={**known.fields, **span.fields})


def _traced(claim: int, attempt: int, each: dict[str, Any]) -> RecordedSpan:
    took, error, parent = each.get("ms"), each.get("error"), each.get("parent")
    return RecordedSpan(
        key=(claim, int(each["id"])),
        parent=int(parent) if parent else None,
        attempt=attempt,
        kind=str(each.get("kind", "span")),
        name=str(each.get("name", "")),
        note=str(each.get("note", "")),
        began_ms=float(each["began"]),
        took_ms=None if took is None else float(took),
        error=str(error) if error else None,
        is_left=bool(each.get("left")),
        place=str(each.get("key", "")),
        fields=dict(each.get("about") or {}),
    )


def _user_span(claim: int, attempt: int, document: dict[str, Any]) -> RecordedSpan:
    error, parent = document.get("error"), document.get("parent")
    return RecordedSpan(
        key=(claim, int(document["span"])),
        parent=int(parent) if parent else None,
        attempt=attempt,
        kind="span",
        name=str(document.get("message", "")),
        note="",
        began_ms=float(document["time"]),
        took_ms=float(document["ms"]),
        error=str(error) if error else None,
        is_left=False,
        place="",
        fields=dict(document.get("fields") or {}),
    )
