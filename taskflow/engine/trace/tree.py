"""The tree of a trace: parents before their children, these by their time."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from taskflow.engine.trace.rows import ROOT, TraceLine, TraceRow, TraceSpan


def rows_of(root: TraceSpan, spans: Iterable[TraceSpan], lines: Iterable[TraceLine]) -> Iterator[TraceRow]:
    """Yield the rows of a tree. A span whose parent is unknown belongs to the whole run."""
    items: list[TraceSpan | TraceLine] = [*spans, *lines]
    known = {ROOT} | {item.id for item in items if isinstance(item, TraceSpan)}
    children: dict[str, list[TraceSpan | TraceLine]] = {}
    for item in items:
        parent = item.parent if item.parent in known else ROOT
        children.setdefault(parent, []).append(item)
    for siblings in children.values():
        siblings.sort(key=_began)
    pending: list[tuple[TraceSpan | TraceLine, int]] = [(root, 0)]
    reached: set[str] = set()
    while pending:
        item, depth = pending.pop()
        below: list[TraceSpan | TraceLine] = []
        if isinstance(item, TraceSpan):
            if item.id in reached:  # a circle of parents, which no attempt makes
                continue
            reached.add(item.id)
            below = children.get(item.id, [])
        yield TraceRow(item, depth, bool(below))
        pending += [(child, depth + 1) for child in reversed(below)]


def _began(item: TraceSpan | TraceLine) -> datetime:
    return item.began if isinstance(item, TraceSpan) else item.line.at
