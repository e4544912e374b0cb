"""The page of one queue: its limits, its concurrency keys by wait, its tasks, and the reason why it waits."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic_core import to_json
from starlette.responses import Response

from taskflow.errors import HistoryUnavailableError
from taskflow.seams.activity import Bar, QueueLoad
from taskflow.server.dashboard.pages.queues.reads import (
    read_ended,
    read_keys,
    read_loads,
    read_queue,
    read_tasks_by_queue,
)
from taskflow.server.dashboard.pages.queues.rows import QueueRow, limit_of
from taskflow.server.dashboard.shared_reads import shared
from taskflow.server.dashboard.visit import Visit

TEMPLATE: Final = "queue.html"


async def show(visit: Visit) -> Response:
    """Show one queue, or one part of the page."""
    return visit.render(TEMPLATE, 200, **await values_of(visit, visit.path["queue"]))


async def values_of(visit: Visit, name: str) -> dict[str, object]:
    """Return the values of the template.

    Raises:
        QueueNotFoundError: No such queue.
    """
    overview = await read_queue(visit.engine, name)
    cursor = visit.query.get("cursor", "")
    points = (await read_ended(visit.engine)).get(name, ())
    tasks = (await read_tasks_by_queue(visit.engine)).get(name, ())
    loads, limit = await read_loads(visit.engine, name), limit_of(overview)
    return {
        "loads": by_hour(loads),
        "most": highest(loads),
        "chart": _chart(loads, limit) if len(loads) > 1 else "",  # one point has no width
        "limit": limit,
        "row": QueueRow.of(overview, points),
        "overview": overview,
        "keys": await read_keys(visit.engine, name, cursor),
        "cursor": cursor,
        "tasks": tasks,
        "bars": await _bars(visit, tasks),
    }


def highest(loads: Sequence[QueueLoad]) -> QueueLoad | None:
    """Return the highest numbers of some loads, None of none."""
    if not loads:
        return None
    return QueueLoad(loads[0].start, max(load.running for load in loads), max(load.queued for load in loads))


def by_hour(loads: Sequence[QueueLoad]) -> Sequence[QueueLoad]:
    """Return the highest loads of each hour, the newest first, without hours in which nothing was there."""
    hours: dict[datetime, list[QueueLoad]] = {}
    for load in loads:
        hours.setdefault(load.start.replace(minute=0), []).append(load)
    found = [replace(top, start=hour) for hour, parts in hours.items() if (top := highest(parts)) is not None]
    return [load for load in reversed(found) if load.running or load.queued]


def _chart(loads: Sequence[QueueLoad], limit: int | None) -> str:
    """Return the chart's numbers as JSON: instants in seconds, executing, queued, and the limit of today."""
    columns: list[list[int]] = [
        [round(load.start.timestamp()) for load in loads],
        [load.running for load in loads],
        [load.queued for load in loads],
    ]
    return to_json([*columns, [limit] * len(loads)] if limit is not None else columns).decode()


async def _bars(visit: Visit, names: Sequence[str]) -> Sequence[Bar]:
    """Return the runs of the queue's tasks that ended in each quarter of an hour of the last day."""
    if not names:
        return ()
    now = datetime.now(UTC)

    async def read() -> Sequence[Bar]:
        try:
            return await visit.engine.activity.abars(now - timedelta(days=1), now, 96, names)
        except HistoryUnavailableError:
            return ()

    return await shared(visit.engine, f"bars {' '.join(names)}", 60.0, read)
