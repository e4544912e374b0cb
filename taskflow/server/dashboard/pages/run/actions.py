"""Actions on one run: cancel, replay, reschedule."""

import asyncio
from typing import Final

from starlette.responses import Response

from taskflow.durations import parse_duration
from taskflow.server.dashboard.hidden_runs import shown_trace
from taskflow.server.dashboard.pages.run.query import TraceQuery
from taskflow.server.dashboard.pages.run.show import run_id_of
from taskflow.server.dashboard.pages.run.values import values_of
from taskflow.server.dashboard.visit import Visit

_PARTS: Final = ("actions", "summary", "trace", "inspect")
_LONGEST_REASON: Final = 200


async def cancel(visit: Visit) -> Response:
    """Cancel a run."""
    run_id, reason = run_id_of(visit), visit.form.get("reason", "")[:_LONGEST_REASON]
    was_live = await visit.engine.runs.acancel(run_id)
    visit.audit("run.cancel", run_id, reason)
    if was_live:
        return await _changed(visit, run_id, "Run canceled", "Its code is stopped, and its child runs are canceled.")
    return await _changed(visit, run_id, "The run had ended", "Nothing has changed.")


async def replay(visit: Visit) -> Response:
    """Make a new run with the payload and the options of this one, and open it."""
    run_id = run_id_of(visit)
    new = await visit.engine.runs.areplay(run_id)
    visit.audit("run.replay", run_id, new)
    return visit.go("runs", new)


async def reschedule(visit: Visit) -> Response:
    """Start a delayed run at another time.

    Raises:
        DefinitionError: The delay is none. Nothing was written.
    """
    run_id = run_id_of(visit)
    text = visit.form.get("delay", "").strip()
    delay = parse_duration(int(text) if text.isdecimal() and len(text) < 16 else text, option="delay")
    due = await asyncio.to_thread(visit.engine.runs.reschedule, run_id, delay)
    visit.audit("run.reschedule", run_id, due.isoformat())
    return await _changed(visit, run_id, "Run rescheduled", "")


async def _changed(visit: Visit, run_id: str, toast: str, detail: str) -> Response:
    trace = await shown_trace(visit.engine, await visit.engine.traces.atrace(run_id))
    values = await values_of(visit.engine, trace, TraceQuery(), visit.known)
    return visit.parts("run.html", *_PARTS, toast=toast, detail=detail, **values)
