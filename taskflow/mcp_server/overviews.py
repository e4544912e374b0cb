"""Tools about the environment: groups of errors, queues, schedules."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from pydantic import Field

from taskflow.definition.scheduling.schedule import Schedule
from taskflow.durations import parse_duration
from taskflow.mcp_server.bounds import page_of
from taskflow.mcp_server.documents import document_of
from taskflow.mcp_server.session import Session
from taskflow.mcp_server.tasks import Offset
from taskflow.mcp_server.tool import Arguments, Document, Tool
from taskflow.seams.error_groups import ErrorGroup

_LONGEST: Final = timedelta(days=400)
_SCHEDULES: Final = 100


class ListErrors(Arguments):
    """Groups of errors."""

    period: str = Field("24h", description="The time up to now whose failures count: 90m, 24h, 7d.")
    state: Literal["", "open", "muted", "resolved"] = ""
    task: str = Field("", description="Only groups with failures of this task.")
    offset: Offset = 0
    limit: int = Field(50, ge=1, le=100)


class ListQueues(Arguments):
    """A page of queues."""

    offset: Offset = 0
    limit: int = Field(100, ge=1, le=200)


class ListSchedules(Arguments):
    """A page of schedules."""

    task: str = Field("", description="Only schedules of this task.")
    page: int = Field(1, ge=1)


async def list_errors(session: Session, wanted: ListErrors) -> Document:
    """Return the groups that failed, the newest failure first."""
    now = datetime.now(UTC)
    since = now - min(parse_duration(wanted.period, option="period"), _LONGEST)
    groups = [
        _group(group)
        for group in await session.engine.errors.alist(since, now)
        if wanted.state in ("", group.state) and (not wanted.task or wanted.task in group.tasks)
    ]
    return page_of("errors", groups, wanted.offset, wanted.limit)


async def list_queues(session: Session, wanted: ListQueues) -> Document:
    """Return the environment's state, and a page of its queues."""
    queues = [document_of(queue) for queue in await session.engine.queues.alist()]
    environment = document_of(await session.engine.queues.aenvironment())
    return {"environment": environment} | page_of("queues", queues, wanted.offset, wanted.limit)


async def list_schedules(session: Session, wanted: ListSchedules) -> Document:
    """Return a page of schedules."""
    page = await session.engine.schedules.alist(wanted.page, _SCHEDULES, wanted.task or None)
    return {"schedules": [_schedule(schedule) for schedule in page], "page": page.page, "pages": page.pages}


def _group(group: ErrorGroup) -> dict[str, Any]:
    fields = document_of(group)
    fields.pop("bars", None)
    return fields


def _schedule(schedule: Schedule) -> dict[str, Any]:
    names = ("id", "task_id", "cron", "timezone", "is_active", "next_run", "last_run", "last_run_id", "error")
    fields = document_of(schedule)
    return {"description": schedule.description} | {name: fields[name] for name in names if name in fields}


TOOLS: Final = (
    Tool(
        "list_errors",
        "List errors",
        "List failures grouped by what broke, the newest first: type, message, frame, counts by task and version, "
        "state. They come from the history.",
        ListErrors,
        list_errors,
    ),
    Tool(
        "list_queues",
        "List queues",
        "List queues with their limits, running and waiting runs, and who has paused them.",
        ListQueues,
        list_queues,
    ),
    Tool(
        "list_schedules",
        "List schedules",
        "List schedules: their rule in words, the task, the next and the last run.",
        ListSchedules,
        list_schedules,
    ),
)
