"""Schedules: made, listed, changed and deleted; and the names of time zones."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from taskflow.definition.cron.zones import zone_names
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.definition.scheduling.schedule import Schedule
from taskflow.seams.public_tokens import environment_id
from taskflow.server.api.options import ShortText
from taskflow.server.api.queues import OffsetPage, OffsetQuery
from taskflow.server.api.runs.schedules import Generator, generator_of
from taskflow.server.api.wire import AnyJson, Instant, Text, Wire, or_null
from taskflow.server.call import Call
from taskflow.server.route import OPEN, ApiRoute

_PATH: Final = "/api/v1/schedules"
_WINDOW: Final = re.compile(r"[0-9]+(?:m|h|%)")
EnvironmentType = Literal["DEVELOPMENT", "STAGING", "PREVIEW", "PRODUCTION"]
_KINDS: Final[tuple[tuple[str, EnvironmentType], ...]] = (
    ("prod", "PRODUCTION"),
    ("stag", "STAGING"),
    ("stg", "STAGING"),
    ("prev", "PREVIEW"),
)


class ScheduleChanges(Wire):
    """The rule of a schedule and its task. ``window`` spreads the runs behind each tick: "30m", "2h" or "30%"."""

    task: ShortText
    cron: ShortText | None = None
    every: ShortText | None = None
    timezone: Text | None = None
    external_id: Text | None = None
    window: Text | None = None


class NewSchedule(ScheduleChanges):
    """A schedule to make. Two with one key are one schedule."""

    deduplication_key: ShortText


class EnvironmentAnswer(Wire):
    """The environment of a schedule."""

    id: str
    type: EnvironmentType


class ScheduleAnswer(Wire):
    """A schedule."""

    id: str
    type: Literal["DECLARATIVE", "IMPERATIVE"]
    task: str
    active: bool
    deduplication_key: AnyJson = None
    external_id: AnyJson = None
    generator: Generator
    timezone: str
    next_run: Instant | None = None
    next_run_effective_at: Instant | None = None
    window: str | None = None
    environments: list[EnvironmentAnswer]


class SchedulePageAnswer(Wire):
    """Schedules, in the order of their making."""

    data: list[ScheduleAnswer]
    pagination: OffsetPage


class DeletedAnswer(Wire):
    """The schedule that was deleted."""

    id: str


class ZoneQuery(Wire):
    """Whether to leave UTC out."""

    exclude_utc: Annotated[bool, Field(alias="excludeUtc")] = False


class ZonesAnswer(Wire):
    """The names of all time zones, UTC first."""

    timezones: list[str]


async def create(call: Call) -> ScheduleAnswer:
    """Make a schedule, or change the one that has the deduplication key."""
    body = call.body(NewSchedule)
    options = ScheduleOptions.checked(**_rule(body), deduplication_key=body.deduplication_key)
    return _shown(call, await call.engine.schedules.acreate(body.task, options))


async def retrieve(call: Call) -> ScheduleAnswer:
    """Return a schedule."""
    return _shown(call, await call.engine.schedules.aretrieve(call.path("schedule")))


async def list_(call: Call) -> SchedulePageAnswer:
    """Return a page of schedules."""
    query = call.query(OffsetQuery)
    page = await call.engine.schedules.alist(query.page, query.per_page)
    return SchedulePageAnswer(
        data=[_shown(call, schedule) for schedule in page],
        pagination=OffsetPage(current_page=page.page, total_pages=page.pages, count=page.total),
    )


async def update(call: Call) -> ScheduleAnswer:
    """Replace the rule of a schedule. What the body leaves out gets its default."""
    body = call.body(ScheduleChanges)
    changes = {"timezone": None, "jitter": None, "external_id": None, **_rule(body)}
    if body.every is not None:
        del changes["timezone"]
    return _shown(call, await call.engine.schedules.aupdate(call.path("schedule"), changes, body.task))


async def delete(call: Call) -> DeletedAnswer:
    """Delete a schedule."""
    await call.engine.schedules.adelete(call.path("schedule"))
    return DeletedAnswer(id=call.path("schedule"))


async def activate(call: Call) -> ScheduleAnswer:
    """Let a schedule fire again."""
    return _shown(call, await call.engine.schedules.aactivate(call.path("schedule")))


async def deactivate(call: Call) -> ScheduleAnswer:
    """Keep a schedule from firing."""
    return _shown(call, await call.engine.schedules.adeactivate(call.path("schedule")))


async def zones(call: Call) -> ZonesAnswer:
    """Return the names of time zones. The client asks for them without a key."""
    leave_out = call.query(ZoneQuery).exclude_utc
    return ZonesAnswer(timezones=[name for name in zone_names() if not (leave_out and name == "UTC")])


def _rule(body: ScheduleChanges) -> dict[str, Any]:
    given = {
        "cron": body.cron,
        "every": body.every,
        "timezone": body.timezone,
        "external_id": body.external_id,
        "jitter": body.window,
    }
    return {name: value for name, value in given.items() if value is not None}


def _shown(call: Call, schedule: Schedule) -> ScheduleAnswer:
    environment = call.flow.settings.environment
    return ScheduleAnswer(
        id=schedule.id,
        type="DECLARATIVE" if schedule.is_declared else "IMPERATIVE",
        task=schedule.task_id,
        active=schedule.is_active,
        deduplication_key=or_null(schedule.deduplication_key),
        external_id=or_null(schedule.external_id),
        generator=generator_of(schedule),
        timezone=schedule.timezone,
        next_run=schedule.next_run,
        next_run_effective_at=schedule.next_fire,
        window=_window(schedule.jitter),
        environments=[EnvironmentAnswer(id=environment_id(environment), type=_type_of(environment))],
    )


def _window(jitter: str | timedelta | None) -> str | None:
    """Return a jitter in a form that the client takes, None for another one."""
    if isinstance(jitter, timedelta):
        minutes, rest = divmod(jitter, timedelta(minutes=1))
        return None if rest or not minutes else f"{minutes}m"
    return jitter if jitter and _WINDOW.fullmatch(jitter) else None


def _type_of(environment: str) -> EnvironmentType:
    for start, kind in _KINDS:
        if environment.lower().startswith(start):
            return kind
    return "DEVELOPMENT"


ROUTES: Final = (
    ApiRoute("POST", _PATH, create, "Make a schedule.", body=NewSchedule, answer=ScheduleAnswer, statuses=(422,)),
    ApiRoute("GET", _PATH, list_, "List schedules.", query=OffsetQuery, answer=SchedulePageAnswer),
    ApiRoute("GET", f"{_PATH}/{{schedule}}", retrieve, "Return a schedule.", answer=ScheduleAnswer),
    ApiRoute(
        "PUT", f"{_PATH}/{{schedule}}", update, "Change a schedule.",
        body=ScheduleChanges, answer=ScheduleAnswer, statuses=(422,),
    ),
    ApiRoute("DELETE", f"{_PATH}/{{schedule}}", delete, "Delete a schedule.", answer=DeletedAnswer, statuses=(422,)),
    ApiRoute(
        "POST", f"{_PATH}/{{schedule}}/activate", activate, "Activate a schedule.",
        answer=ScheduleAnswer, statuses=(422,),
    ),
    ApiRoute(
        "POST", f"{_PATH}/{{schedule}}/deactivate", deactivate, "Deactivate a schedule.",
        answer=ScheduleAnswer, statuses=(422,),
    ),
    ApiRoute("GET", "/api/v1/timezones", zones, "List the time zones.", OPEN, query=ZoneQuery, answer=ZonesAnswer),
)  # fmt: skip
