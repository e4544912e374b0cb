"""Lists of runs: ``GET /api/v1/runs``."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import Field

from taskflow.definition.calls.run_filter import RunFilter, RunPosition
from taskflow.durations import parse_duration
from taskflow.errors import DefinitionError
from taskflow.models import Run
from taskflow.seams.public_tokens import environment_id
from taskflow.server.api.pagination import DEFAULT_SIZE, CursorPage, PageSize, cursor, position
from taskflow.server.api.runs.objects import EnvironmentObject, RunSummary, listed_run
from taskflow.server.api.runs.schedules import schedules_of
from taskflow.server.api.runs.statuses import statuses_of
from taskflow.server.api.wire import Wire
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.route import ApiRoute, public
from taskflow.server.scopes import Groups

_MOST_COMBINATIONS: Final = 100


class RunsQuery(Wire):
    """The filters of a list: of a comma list any value; all filters must fit."""

    status: Annotated[str | None, Field(alias="filter[status]")] = None
    task: Annotated[str | None, Field(alias="filter[taskIdentifier]")] = None
    version: Annotated[str | None, Field(alias="filter[version]")] = None
    tag: Annotated[str | None, Field(alias="filter[tag]")] = None
    queue: Annotated[str | None, Field(alias="filter[queue]")] = None
    machine: Annotated[str | None, Field(alias="filter[machine]")] = None
    region: Annotated[str | None, Field(alias="filter[region]")] = None
    batch: Annotated[str | None, Field(alias="filter[batch]")] = None
    schedule: Annotated[str | None, Field(alias="filter[schedule]")] = None
    bulk_action: Annotated[str | None, Field(alias="filter[bulkAction]")] = None
    is_test: Annotated[Literal["true", "false"] | None, Field(alias="filter[isTest]")] = None
    environments: Annotated[str | None, Field(alias="filter[env]")] = None
    created_from: Annotated[str | None, Field(alias="filter[createdAt][from]")] = None
    created_to: Annotated[str | None, Field(alias="filter[createdAt][to]")] = None
    period: Annotated[str | None, Field(alias="filter[createdAt][period]")] = None
    size: Annotated[PageSize, Field(alias="page[size]")] = DEFAULT_SIZE
    after: Annotated[str | None, Field(alias="page[after]")] = None
    before: Annotated[str | None, Field(alias="page[before]")] = None


class RunsPage(Wire):
    """A page of runs, newest first."""

    data: list[RunSummary]
    pagination: CursorPage


async def list_runs(call: Call) -> RunsPage:
    """Return a page of the environment's runs."""
    query = call.query(RunsQuery)
    own = call.flow.settings.environment
    filters = run_filters(query)
    at = position(query.after, query.before)
    if not filters or (query.environments and own not in _several(query.environments)):
        return RunsPage(data=[], pagination=CursorPage())
    runs, has_more = await call.engine.pages.apage(filters, query.size, at)
    environment = EnvironmentObject(id=environment_id(own), name=own)
    schedules = await schedules_of(call, runs)
    data = [listed_run(run, environment, schedules) for run in runs]
    return RunsPage(data=data, pagination=_pagination(runs, at, has_more))


def run_filters(query: RunsQuery) -> Sequence[RunFilter]:
    """Return the filters of which a run must match one: the engine's has one queue, machine and version.

    Raises:
        Problem: 400: a value is not possible.
    """
    refuse_bulk_filter(query.bulk_action)
    statuses = statuses_of(_several(query.status))
    if query.status and not statuses:
        return []
    since = since_period("filter[createdAt][period]", query.period)
    created_from = max(filter(None, (since, read_instant("filter[createdAt][from]", query.created_from))), default=None)
    created_to = read_instant("filter[createdAt][to]", query.created_to)
    lists = [_or_any(_several(text)) for text in (query.queue, query.machine, query.version)]
    combinations = list(itertools.product(*lists))
    if len(combinations) > _MOST_COMBINATIONS:
        raise Problem(400, "invalid_query", f"At most {_MOST_COMBINATIONS} queues, machines and versions at once.")
    return [
        RunFilter(
            status=statuses,
            task=_several(query.task),
            tag=_several(query.tag),
            queue=queue,
            machine=machine,
            version=version,
            batch=query.batch,
            schedule=query.schedule,
            is_test=None if query.is_test is None else query.is_test == "true",
            created_from=created_from,
            created_to=created_to,
        )
        for queue, machine, version in combinations
    ]


def refuse_bulk_filter(action: str | None) -> None:
    """Refuse the filter by a bulk action: ignored, it would give runs that the action has not touched.

    Raises:
        Problem: 400.
    """
    if action is not None:
        remedy = "Give the runs a tag, and filter by it."
        raise Problem(
            400, "invalid_query", "This server cannot filter runs by the bulk action that changed them.", remedy
        )


def _pagination(runs: Sequence[Run], at: RunPosition | None, has_more: bool) -> CursorPage:
    """Return the cursors. What was passed on the way to this page exists on the other side."""
    if not runs:
        return CursorPage()
    has_older = has_more or (at is not None and at.is_before)
    has_newer = has_more if at is not None and at.is_before else at is not None
    return CursorPage(
        next=cursor(RunPosition.of(runs[-1])) if has_older else None,
        previous=cursor(RunPosition.of(runs[0], is_before=True)) if has_newer else None,
    )


def since_period(name: str, text: str | None) -> datetime | None:
    """Return the instant that lies a duration back from now.

    Raises:
        Problem: 400: the text is not a duration.
    """
    if text is None:
        return None
    try:
        return datetime.now(UTC) - parse_duration(text, option=name)
    except (DefinitionError, OverflowError):
        raise Problem(400, "invalid_query", f"{name} is not a duration.", 'Write "1h" or "7d".') from None


def read_instant(name: str, text: str | None) -> datetime | None:
    """Return an instant: Unix milliseconds as digits, or ISO 8601, in UTC if it names no zone.

    Raises:
        Problem: 400: the text is neither.
    """
    if text is None:
        return None
    try:
        if text.removeprefix("-").isdecimal():
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        remedy = "Send ISO 8601, or Unix milliseconds."
        raise Problem(400, "invalid_query", f"{name} is not an instant.", remedy) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _several(text: str | None) -> list[str]:
    return [part for part in (text or "").split(",") if part]


def _or_any(values: list[str]) -> list[str | None]:
    return [*values] or [None]


async def _needs(call: Call) -> Groups:
    tasks = _several(call.query(RunsQuery).task)
    return [[f"tasks:{task}", "runs"] for task in tasks] or [["runs", "tasks"]]


ROUTES: Final = (
    ApiRoute(
        "GET", "/api/v1/runs", list_runs, "List runs, newest first.", public("read", _needs), query=RunsQuery,
        answer=RunsPage,
    ),
    ApiRoute(
        "GET", "/api/v1/projects/{project}/runs", list_runs, "List runs of a project's environment.", query=RunsQuery,
        answer=RunsPage,
    ),
)  # fmt: skip
