"""The run beside another one in a list: ``J`` and ``K`` on the page of a run."""

from starlette.datastructures import QueryParams
from starlette.responses import Response

from taskflow.definition.calls.run_filter import RunPosition
from taskflow.errors import RunFilterError
from taskflow.server.dashboard.pages.run.show import run_id_of
from taskflow.server.dashboard.pages.runs.filters import RunQuery
from taskflow.server.dashboard.visit import Visit


async def open_beside(visit: Visit) -> Response:
    """Open the next older or newer run of a list, ``list`` being the query of its page; at its end, the run itself."""
    run_id = run_id_of(visit)
    run = await visit.engine.runs.aretrieve(run_id)
    query = RunQuery.of(QueryParams(visit.query.get("list", "") or "period=all"))
    at = RunPosition.of(run, is_before=visit.query.get("to") == "newer")
    try:
        found, _ = ([], False) if query.problem else await visit.engine.pages.apage([query.where], 1, at)
    except RunFilterError:  # the list needs a history, and there is none
        found = []
    return visit.go("runs", found[0].id if found else run_id)
