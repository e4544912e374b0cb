"""Show a run, its log lines as text, and its documents as they are stored."""

import asyncio
from typing import Final

from starlette.responses import Response

from taskflow.engine.trace.documents import NAMES
from taskflow.engine.trace.rows import ROOT, TraceLine
from taskflow.errors import RunNotFoundError
from taskflow.server.dashboard.hidden_runs import shown_trace
from taskflow.server.dashboard.pages.run.query import TraceQuery
from taskflow.server.dashboard.pages.run.values import values_of
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.view.durations import whole_duration
from taskflow.server.dashboard.view.reader import READER
from taskflow.server.dashboard.visit import Visit
from taskflow.texts import is_possible_id

_ATTACHED: Final = {"x-content-type-options": "nosniff", "cache-control": "private, no-store"}


async def show(visit: Visit) -> Response:
    """Show a run's page."""
    run_id = run_id_of(visit)
    try:
        trace = await shown_trace(visit.engine, await visit.engine.traces.atrace(run_id))
    except RunNotFoundError:
        return visit.render("no_such_run.html", 404, run_id=run_id[:200], places=_places(visit))
    query = TraceQuery.of(visit.query)
    values = await values_of(visit.engine, trace, query, visit.known)
    return visit.render("run.html", 200, **values)


async def document(visit: Visit) -> Response:
    """Send one document of a run as it is stored but for hidden values, for copying and downloading.

    Raises:
        PageProblem: The run does not have it: 404.
    """
    run_id, name = run_id_of(visit), visit.path["name"].removesuffix(".json")
    text = await visit.engine.documents.aload(run_id, name) if name in NAMES else None
    if text is None:
        raise PageProblem(404, "There is no such document", f"Run {run_id} has no {name}.", "Open the run's page.")
    kind = "attachment" if "download" in visit.query else "inline"
    text = await asyncio.to_thread(READER.get().hiding.text, text)
    disposition = f'{kind}; filename="{run_id[-40:]}-{name}.json"'
    return Response(text, 200, {**_ATTACHED, "content-disposition": disposition}, "application/json")


async def logs(visit: Visit) -> Response:
    """Send those of a run's log lines as text that the address asks for, to read or as a download."""
    run_id = run_id_of(visit)
    trace = await shown_trace(visit.engine, await visit.engine.traces.atrace(run_id))
    query = TraceQuery.of(visit.query)
    text = "".join(
        f"{line.at.isoformat(timespec='milliseconds')} {line.level} {line.logger}: {line.message}"
        f"{''.join(f' {name}={value!r}' for name, value in line.fields.items())}\n"
        for line in trace.lines
        if query.line_matches(TraceLine(line, ROOT))
    )
    kind = "attachment" if "download" in visit.query else "inline"
    disposition = f'{kind}; filename="{run_id[-40:]}.log"'
    return Response(text, 200, {**_ATTACHED, "content-disposition": disposition}, "text/plain")


def run_id_of(visit: Visit) -> str:
    """Return the id of the path.

    Raises:
        RunNotFoundError: No run can have it.
    """
    run_id = visit.path["run_id"]
    if not is_possible_id(run_id):
        raise RunNotFoundError(run_id)
    return run_id


def _places(visit: Visit) -> str:
    """Return the places where a run was looked for, and how long they keep runs."""
    settings = visit.flow.settings
    kept = f"the store, which keeps a run for {whole_duration(settings.retention)} after its end"
    if settings.database_url == "none":
        return f"{kept} (there is no history)"
    return f"{kept}, and the history"
