"""The page of all queues, and its parts."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from taskflow.engine.serving.queue_overview import QueuesOverview
from taskflow.server.dashboard.pages.queues.reads import read_ended, read_keys, read_queues
from taskflow.server.dashboard.pages.queues.rows import QueueRow
from taskflow.server.dashboard.visit import Visit
from taskflow.store.operations.overviews.queues import QueueKeyPage

TEMPLATE: Final = "queues.html"
_FULL: Final = ("At its limit", "Keys at limit", "Rate limit", "Environment full")


async def show(visit: Visit) -> Response:
    """Show all queues, or one part of the page."""
    return visit.render(TEMPLATE, 200, **await values_of(visit))


async def values_of(visit: Visit) -> dict[str, object]:
    """Return the values of the template."""
    overview = await read_queues(visit.engine)
    points = await read_ended(visit.engine)
    rows = [QueueRow.of(each, points.get(each.state.name, ())) for each in overview.queues]
    text, view, opened = visit.query.get("q", ""), visit.query.get("view", ""), visit.query.get("open", "")
    keys = await _keys(visit, opened, rows)
    shown = [row for row in rows if _is_wanted(row, text, view)]
    return {
        "rows": shown,
        "total": len(rows),
        "full": sum(row.state.word in _FULL for row in rows),
        "paused": sum(row.queue.is_paused for row in rows),
        "text": text,
        "view": view if view in ("full", "paused") else "",
        "opened": opened,
        "keys": keys,
        "environment": overview.environment,
        "capacity": _capacity(overview),
        "oldest": overview.oldest,
    }


async def _keys(visit: Visit, opened: str, rows: Sequence[QueueRow]) -> QueueKeyPage | None:
    return await read_keys(visit.engine, opened) if any(row.name == opened for row in rows) else None


def _is_wanted(row: QueueRow, text: str, view: str) -> bool:
    if text.lower() not in row.name.lower():
        return False
    return row.queue.is_paused if view == "paused" else row.state.word in _FULL if view == "full" else True


def _capacity(overview: QueuesOverview) -> dict[str, float | int | None]:
    """Return the environment's slots on one scale, which ends at the burst."""
    limit, burst = overview.environment.concurrency_limit, overview.burst_limit
    if not limit or not burst:
        return {"executing": overview.environment.running, "limit": None, "burst": None, "share": 0, "mark": None}
    used = overview.environment_used
    return {
        "executing": used,
        "limit": limit,
        "burst": burst,
        "share": min(100.0, round(100 * used / burst, 1)),
        "mark": round(100 * limit / burst, 1),
    }
