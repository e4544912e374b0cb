"""Child runs that are opened in place: the rows of their own traces stand below their row."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from taskflow.engine.engine import Engine
from taskflow.engine.trace.rows import ROOT, SpanKind, Trace, TraceLine, TraceRow, TraceSpan
from taskflow.errors import RunNotFoundError
from taskflow.server.dashboard.hidden_runs import shown_trace
from taskflow.server.dashboard.pages.run.query import TraceQuery

_MOST_OPENED = 10


async def with_opened(engine: Engine, trace: Trace, query: TraceQuery) -> Trace:
    """Return a trace with the rows of those child runs that the address opens."""
    children = {span.run_id for span in trace.spans if span.kind is SpanKind.CHILD}
    opened: dict[str, Trace] = {}
    for run_id in query.opened[:_MOST_OPENED]:
        if run_id in children:
            try:
                opened[run_id] = await shown_trace(engine, await engine.traces.atrace(run_id))
            except RunNotFoundError:
                continue
    return replace(trace, rows=tuple(_rows(trace, opened))) if opened else trace


def _rows(trace: Trace, opened: Mapping[str, Trace]) -> Iterator[TraceRow]:
    for row in trace.rows:
        run_id = row.item.run_id if isinstance(row.item, TraceSpan) else None
        if run_id is None or run_id not in opened:
            yield row
            continue
        yield replace(row, has_children=True)
        for below in opened[run_id].rows[1:]:
            yield TraceRow(_named(below.item, run_id), row.depth + below.depth, below.has_children)


def _named(item: TraceSpan | TraceLine, run_id: str) -> TraceSpan | TraceLine:
    """Return an item of a child's trace under an id that is unique in its parent's."""
    if isinstance(item, TraceLine):
        return TraceLine(item.line, _id(run_id, item.parent))
    return replace(item, id=_id(run_id, item.id), parent=_id(run_id, item.parent or ROOT), attempt=None)


def _id(run_id: str, item_id: str) -> str:
    return f"{run_id}:{item_id}"
