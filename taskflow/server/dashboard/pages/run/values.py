"""The values of a run's page, for the whole page and for the parts of it that change while the run goes on."""

import asyncio
from collections.abc import Iterable, Mapping, Set
from functools import partial
from typing import NamedTuple

from markupsafe import Markup

from taskflow.definition.calls.tokens import Token
from taskflow.engine.engine import Engine
from taskflow.engine.trace.rows import Trace, TraceLine
from taskflow.models import Run, RunStatus
from taskflow.server.dashboard.pages.run.awaited import awaited_token
from taskflow.server.dashboard.pages.run.axis import axis_of
from taskflow.server.dashboard.pages.run.facts import facts_of
from taskflow.server.dashboard.pages.run.inspector import context_of, documents_of, run_properties, select
from taskflow.server.dashboard.pages.run.nested import with_opened
from taskflow.server.dashboard.pages.run.notes import with_notes
from taskflow.server.dashboard.pages.run.now_line import now_line
from taskflow.server.dashboard.pages.run.origin import origin_of
from taskflow.server.dashboard.pages.run.query import LEVELS, TraceQuery
from taskflow.server.dashboard.pages.run.streams import streams_of
from taskflow.server.dashboard.pages.run.trace_rows import rows_of
from taskflow.server.dashboard.view.instants import full_instant
from taskflow.server.dashboard.view.links import url
from taskflow.texts import visible

_MOST_LINES = 1000


class Around(NamedTuple):
    """The origin of a run, and the token that it waits for."""

    origin: Markup
    token: Token | None = None


async def values_of(engine: Engine, trace: Trace, query: TraceQuery, known: Set[str]) -> dict[str, object]:
    """Return the values of the page. ``trace`` may be shown, see ``hidden_runs``."""
    shown = await with_notes(engine, await with_opened(engine, trace, query))
    return {
        **parts_of(trace, shown, query, known, await around_of(engine, trace.run)),
        "selected": select(shown, query.span),
        "documents": await asyncio.to_thread(documents_of, await engine.documents.aread(trace.run.id)),
        "streams": await streams_of(engine, trace.run.id),
        "properties": list(run_properties(trace)),
        "context": context_of(trace.run),
    }


async def around_of(engine: Engine, run: Run) -> Around:
    """Read what the run's record does not say."""
    return Around(await origin_of(engine, run), await awaited_token(engine, run))


def parts_of(trace: Trace, shown: Trace, query: TraceQuery, known: Set[str], around: Around) -> dict[str, object]:
    """Return the values of the parts that change while the run goes on: head, trace and logs.

    Args:
        shown: The trace with the child runs that are opened in place.
        around: What the run's record does not say.
    """
    run = trace.run
    rows = query.rows(shown)
    axis = axis_of(shown, folded=query.is_folded, between=query.between)
    lines = [row.item for row in rows if isinstance(row.item, TraceLine)]
    selected = select(shown, query.span).span.id
    return {
        "run": run,
        "query": query,
        "here": partial(_address, run.id, query),
        "opening": partial(_opening, run.id, query),
        "topics": () if run.is_finished else (f"run:{run.id}?{query.text}",),
        "now_x": axis.at(trace.read_at),
        "now": now_line(run, frozenset(path.partition("/")[0] for path in known), around.token),
        "facts": list(facts_of(trace, around.origin)),
        "axis": axis,
        "trace_rows": list(rows_of(Trace(run, tuple(rows), trace.read_at), axis)) if query.view == "trace" else [],
        "selected_id": selected,
        "span_count": len(trace.spans),
        "line_count": len(trace.lines),
        "lines": _shown_lines(lines) if query.view == "logs" else [],
        "left_out": max(0, len(lines) - _MOST_LINES),
        "attempts": [attempt.number for attempt in run.attempts],
        "levels": LEVELS,
        "may_cancel": not run.is_finished,
        "is_delayed": run.status is RunStatus.DELAYED,
    }


def _address(run_id: str, query: TraceQuery, **changed: str | None) -> str:
    """Return the address of the page with changed parameters."""
    return url("runs", run_id, **query.parameters(**changed))


def _opening(run_id: str, query: TraceQuery, child_id: str) -> str:
    """Return the address that opens a child run in place, or closes it."""
    others = tuple(each for each in query.opened if each != child_id)
    opened = others if child_id in query.opened else (*others, child_id)
    return url("runs", run_id, **{**query.parameters(), "open": opened})


def _shown_lines(items: Iterable[TraceLine]) -> list[Mapping[str, object]]:
    lines = sorted((item.line for item in items), key=lambda line: (line.at, line.sequence))[-_MOST_LINES:]
    return [
        {
            "at": line.at,
            "full": full_instant(line.at),
            "level": line.level,
            "logger": visible(line.logger),
            "message": visible(line.message.partition("\n")[0]),
            "more": visible(line.message.partition("\n")[2]),
            "fields": [(visible(str(name))[:60], visible(str(value))[:300]) for name, value in line.fields.items()],
        }
        for line in lines
    ]
