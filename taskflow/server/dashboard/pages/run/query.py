"""The part of a run that an address asks for: view, selected span, search, level, attempt, folding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from taskflow.engine.trace.rows import ROOT, Trace, TraceLine, TraceRow, TraceSpan

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_RANKS: Final[Mapping[str, int]] = {"DEBUG": 0, "INFO": 1, "WARNING": 2, "ERROR": 3, "CRITICAL": 4}


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """The parameters of the address. Those that are not possible are as if they were left out."""

    view: str = "trace"
    span: str = ""
    search: str = ""
    level: str = ""
    attempt: int | None = None
    is_folded: bool = True
    opened: tuple[str, ...] = ()
    between: tuple[datetime, datetime] | None = None

    @classmethod
    def of(cls, params: QueryParams) -> "TraceQuery":
        """Return the query of an address."""
        attempt, level = params.get("attempt", ""), params.get("level", "").upper()
        return cls(
            view="logs" if params.get("view") == "logs" else "trace",
            span=params.get("span", "")[:200],
            search=params.get("q", "").strip()[:200],
            level=level if level in LEVELS else "",
            attempt=int(attempt) if attempt.isdecimal() and len(attempt) < 9 else None,
            is_folded=params.get("fold") != "0",
            opened=tuple(params.getlist("open")[:20]),
            between=_between(params.get("from", ""), params.get("to", "")),
        )

    def parameters(self, **changed: str | None) -> dict[str, str | Sequence[str] | None]:
        """Return the parameters of the address of a changed query."""
        values: dict[str, str | Sequence[str] | None] = {
            "view": "logs" if self.view == "logs" else None,
            "span": self.span,
            "q": self.search,
            "level": self.level,
            "attempt": None if self.attempt is None else str(self.attempt),
            "fold": None if self.is_folded else "0",
            "open": self.opened,
            "from": self.between[0].isoformat() if self.between else None,
            "to": self.between[1].isoformat() if self.between else None,
        }
        return {**values, **changed}

    @property
    def text(self) -> str:
        """The query as the address has it."""
        pairs = [(name, value) for name, value in self.parameters().items() if value]
        return urlencode(pairs, doseq=True)

    def line_matches(self, item: TraceLine) -> bool:
        """Whether a log line is to be shown."""
        line = item.line
        is_loud = not self.level or _RANKS.get(line.level, 1) >= _RANKS[self.level]
        is_of_attempt = self.attempt is None or line.attempt == self.attempt
        text = f"{line.message} {line.logger} {line.fields if line.fields else ''}"
        return is_loud and is_of_attempt and (not self.search or self.search.lower() in text.lower())

    def span_matches(self, item: TraceSpan) -> bool:
        """Whether a span is to be shown."""
        is_of_attempt = self.attempt is None or item.attempt in (None, self.attempt)
        return is_of_attempt and (not self.search or self.search.lower() in f"{item.name} {item.note}".lower())

    def rows(self, trace: Trace) -> list[TraceRow]:
        """Return the rows that match, and those around them."""
        kept: list[TraceRow] = []
        needed = -1
        for row in reversed(trace.rows):
            item = row.item
            matches = self.span_matches(item) if isinstance(item, TraceSpan) else self.line_matches(item)
            is_around = isinstance(item, TraceSpan) and row.depth < needed
            if matches or is_around or (isinstance(item, TraceSpan) and item.id == ROOT):
                has_children = isinstance(item, TraceSpan) and bool(kept) and kept[-1].depth > row.depth
                kept.append(TraceRow(item, row.depth, has_children))
                needed = row.depth
            elif row.depth < needed:
                needed = row.depth
        return kept[::-1]


def _between(since: str, until: str) -> tuple[datetime, datetime] | None:
    """Return the time that the trace shows, None for all of it. An instant without a zone is in UTC."""
    try:
        first, last = (datetime.fromisoformat(text) for text in (since, until))
    except ValueError:
        return None
    first, last = (each if each.tzinfo else each.replace(tzinfo=UTC) for each in (first, last))
    return (first, last) if last - first >= timedelta(milliseconds=1) else None
