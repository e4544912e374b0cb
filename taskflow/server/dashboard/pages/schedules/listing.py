"""The list of schedules: when each runs next, how its last run went, and the load of the next 24 hours."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.datastructures import QueryParams
from starlette.responses import Response

from taskflow.definition.scheduling.schedule import Schedule
from taskflow.engine.engine import Engine
from taskflow.errors import ScheduleNotFoundError, TaskflowError
from taskflow.models import RunStatus
from taskflow.server.dashboard.live.polled import polled_by_query
from taskflow.server.dashboard.page import Page
from taskflow.server.dashboard.run_states import states_of
from taskflow.server.dashboard.view.statuses import FAILURES
from taskflow.server.dashboard.visit import Visit

_READ: Final = 500
MOST: Final = 1000
"""Schedules that the page looks at: the first ones made. A list of one task has its own address."""
_STRIP_SCHEDULES: Final = 100
_STRIP_TICKS: Final = 1500
_HALF_HOUR: Final = timedelta(minutes=30)
_BINS: Final = 48
_HEIGHT: Final = 56


@dataclass(frozen=True, slots=True)
class Row:
    """A schedule with what its row shows.

    Attributes:
        local: The next tick in the schedule's own zone.
        last_status: The status of its last run, None when it made none, or nothing has it any more.
    """

    schedule: Schedule
    local: str
    last_status: RunStatus | None


@dataclass(frozen=True, slots=True)
class Strip:
    """The runs that schedules make in each half hour of the next 24: heights of the strip, and their number in all."""

    heights: Sequence[float]
    total: int
    most: int
    first_hour: float


async def show(visit: Visit) -> Response:
    """Show the schedules."""
    query, task = visit.query.get("q", "").strip(), visit.query.get("task", "").strip()
    view = visit.query.get("view", "")
    schedules, total = await read_schedules(visit.engine, task)
    rows = await _rows(visit.engine, [each for each in schedules if _matches(each, query, view)])
    if view == "failed":
        rows = [row for row in rows if row.last_status in FAILURES]
    strip = await asyncio.to_thread(strip_of, schedules, datetime.now(UTC))
    views = (("", "All"), ("paused", "Paused"), ("failed", "Last run failed"))
    return visit.render(
        "schedules.html",
        rows=rows,
        strip=strip,
        total=total,
        left_out=total - len(schedules),
        q=query,
        task=task,
        view=view,
        views=views,
        counts=_counts(schedules),
        live_query=urlencode({"task": task}) if task else "",
    )


async def read_schedules(engine: Engine, task: str) -> tuple[Sequence[Schedule], int]:
    """Return the schedules of the list, and how many there are in all."""
    found: list[Schedule] = []
    page = total = 1
    while page <= MOST // _READ and len(found) < total:
        part = await engine.schedules.alist(page, _READ, task or None)
        found += part
        page, total = page + 1, part.total
    return found, max(total, len(found))


def strip_of(schedules: Sequence[Schedule], now: datetime) -> Strip | None:
    """Return the load of the next 24 hours, None when there are too many schedules to reckon it."""
    active = [each for each in schedules if each.next_run is not None]
    if not active or len(active) > _STRIP_SCHEDULES:
        return None
    bins = [0] * _BINS
    for schedule in active:
        _add_ticks(schedule, now, bins)
    most = max(bins)
    local = now.astimezone()
    return Strip(
        [count / most * _HEIGHT if most else 0 for count in bins], sum(bins), most, local.hour + local.minute / 60
    )


def local_time(moment: datetime | None, zone: str) -> str:
    """Return an instant as a schedule's zone has it: ``29 Nov, 03:30``."""
    if moment is None:
        return ""
    try:
        local = moment.astimezone(ZoneInfo(zone))
    except (ValueError, OSError, KeyError):  # another host knows the zone
        local = moment.astimezone(UTC)
    seconds = f":{local:%S}" if local.second else ""
    return f"{local.day} {local:%b, %H:%M}{seconds}"


async def _rows(engine: Engine, schedules: Sequence[Schedule]) -> list[Row]:
    states = await states_of(engine, [each.last_run_id for each in schedules])
    return [
        Row(each, local_time(each.next_run, each.timezone), states.get(each.last_run_id or "")) for each in schedules
    ]


def _matches(schedule: Schedule, query: str, view: str) -> bool:
    texts = (schedule.task_id, schedule.deduplication_key, schedule.external_id, schedule.id)
    is_named = not query or any(query.lower() in text.lower() for text in texts if text)
    return is_named and (view != "paused" or not schedule.is_active)


def _counts(schedules: Sequence[Schedule]) -> Mapping[str, int]:
    return {"": len(schedules), "paused": sum(not each.is_active for each in schedules)}


def _add_ticks(schedule: Schedule, now: datetime, bins: list[int]) -> None:
    end, tick = now + _BINS * _HALF_HOUR, schedule.next_run
    if schedule.every is not None:  # thousands of ticks, evenly
        for index in range(_BINS):
            bins[index] += round(_HALF_HOUR / schedule.every) if schedule.every < _HALF_HOUR else 0
        if schedule.every < _HALF_HOUR:
            return
    for _ in range(_STRIP_TICKS):
        if tick is None or tick >= end:
            return
        bins[max(0, min(_BINS - 1, (tick - now) // _HALF_HOUR))] += 1
        try:
            tick = schedule.rule.after(tick)
        except TaskflowError:  # a zone or an expression of another version
            return


async def _read(engine: Engine, query: QueryParams) -> list[Row]:
    if schedule_id := query.get("one", ""):
        try:
            return await _rows(engine, [await engine.schedules.aretrieve(schedule_id)])
        except ScheduleNotFoundError:
            return []
    schedules, _ = await read_schedules(engine, query.get("task", ""))
    return await _rows(engine, schedules)


TOPIC: Final = polled_by_query("schedules", timedelta(seconds=10), _read)
"""The list loads again when a schedule or its last run has changed; ``one=`` is a schedule's page."""

PAGES: Final = (Page("schedules", show),)
