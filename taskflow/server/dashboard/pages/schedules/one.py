"""One schedule: its next instants, its last runs, and what one can do with it."""

from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.errors import HistoryUnavailableError, RunFilterError
from taskflow.models import Run
from taskflow.server.dashboard.hidden_runs import shown_runs
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.pages.schedules.listing import local_time
from taskflow.server.dashboard.visit import Visit
from taskflow.store.operations.overviews.tasks import TaskDetails

_RUNS: Final = 20


async def show(visit: Visit) -> Response:
    """Show a schedule."""
    schedule = await visit.engine.schedules.aretrieve(visit.path["schedule_id"])
    runs: list[Run] = []
    trouble = ""
    try:
        runs, _ = await visit.engine.pages.apage([RunFilter(schedule=schedule.id)], _RUNS, None)
    except (RunFilterError, HistoryUnavailableError) as missing:
        trouble = str(missing)
    record = await visit.engine.nodes.atask(schedule.task_id) if schedule.is_declared else None
    upcoming = [(tick, local_time(tick, schedule.timezone)) for tick in schedule.upcoming()]
    return visit.render(
        "schedule.html",
        schedule=schedule,
        upcoming=upcoming,
        runs=await shown_runs(visit.engine, runs),
        trouble_text=trouble,
        live_query=urlencode({"one": schedule.id}),
        place=_place(record.details if record else None),
    )


def _place(details: TaskDetails | None) -> str:
    """Return where the function of a task is: ``shop/reports.py:12``; "" if that is not known."""
    return f"{details.file}:{details.line}" if details and details.file else ""


async def set_active(visit: Visit) -> Response:
    """Pause a schedule, or let it fire again: the field ``on`` of the form."""
    engine, schedule_id = visit.engine.schedules, visit.path["schedule_id"]
    is_on = bool(visit.form.get("on"))
    await (engine.aactivate(schedule_id) if is_on else engine.adeactivate(schedule_id))
    visit.audit("schedule.activate" if is_on else "schedule.deactivate", schedule_id, visit.form.get("reason", ""))
    return visit.go("schedules", schedule_id) if visit.form.get("here") else visit.go("schedules")


async def run_now(visit: Visit) -> Response:
    """Make a run now, and open it. The rhythm stays as it is."""
    run_id = await visit.engine.schedules.arun_now(visit.path["schedule_id"])
    visit.audit("schedule.run_now", visit.path["schedule_id"])
    return visit.go("runs", run_id)


async def delete(visit: Visit) -> Response:
    """Delete a schedule. Its runs stay."""
    await visit.engine.schedules.adelete(visit.path["schedule_id"])
    visit.audit("schedule.delete", visit.path["schedule_id"])
    return visit.go("schedules")


PAGES: Final = (
    Page("schedules/{schedule_id}", show),
    action("schedules/{schedule_id}/active", set_active),
    action("schedules/{schedule_id}/run-now", run_now),
    action("schedules/{schedule_id}/delete", delete),
)
