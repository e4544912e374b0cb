"""Bulk actions: cancel or replay many runs, in parts, while the caller looks at the progress."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from taskflow.errors import RunNotFoundError
from taskflow.models import BulkStatus
from taskflow.server.api.issued_cursors import issued, page_position
from taskflow.server.api.options import ShortText
from taskflow.server.api.pagination import DEFAULT_SIZE, CursorPage, PageSize
from taskflow.server.api.runs.lists import RunsQuery, refuse_bulk_filter, run_filters
from taskflow.server.api.tasks import request_key
from taskflow.server.api.wire import Flag, Instant, Number, Wire
from taskflow.server.call import Answer, Call
from taskflow.server.problems import Problem
from taskflow.server.route import ApiRoute, public
from taskflow.server.scopes import Groups
from taskflow.store.operations.serving.bulk_actions import BulkProgress
from taskflow.texts import is_possible_id

Texts = ShortText | list[ShortText]
RunIdText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)]
_MOST_IDS: Final = 10_000


class FilterQueue(Wire):
    """A queue by its type and name."""

    type: Literal["task", "custom"]
    name: ShortText


class BulkFilter(Wire):
    """The runs of an action: of each list any value; all conditions must fit."""

    UNSUPPORTED = frozenset({"region"})
    status: Texts | None = None
    task_identifier: Texts | None = None
    tag: Texts | None = None
    version: Texts | None = None
    machine: Texts | None = None
    queue: FilterQueue | list[FilterQueue] | None = None
    batch: ShortText | None = None
    schedule: ShortText | None = None
    bulk_action: ShortText | None = None
    is_test: Flag | None = None
    created_from: Annotated[ShortText | Number | None, Field(alias="from")] = None
    created_to: Annotated[ShortText | Number | None, Field(alias="to")] = None
    period: ShortText | None = None


class BulkBody(Wire):
    """An action on runs, either by their ids or by a filter."""

    UNSUPPORTED = frozenset({"targetRegion"})
    action: Literal["cancel", "replay"]
    run_ids: Annotated[list[RunIdText], Field(min_length=1, max_length=_MOST_IDS)] | None = None
    filter: BulkFilter | None = None
    name: ShortText | None = None


class BulkId(Wire):
    """The id of an action."""

    id: str


class BulkCounts(Wire):
    """Numbers of runs."""

    total: int
    success: int
    failure: int


class BulkObject(Wire):
    """An action with its progress."""

    id: str
    type: Literal["CANCEL", "REPLAY"]
    status: str
    name: str | None = None
    counts: BulkCounts
    created_at: Instant
    completed_at: Instant | None = None


class BulkPage(Wire):
    """A page of actions, newest first."""

    data: list[BulkObject]
    pagination: CursorPage


class BulkQuery(Wire):
    """A page."""

    size: Annotated[PageSize, Field(alias="page[size]")] = DEFAULT_SIZE
    after: Annotated[str | None, Field(alias="page[after]")] = None
    before: Annotated[str | None, Field(alias="page[before]")] = None


async def begin(call: Call) -> Answer:
    """Begin an action, and answer before it is done."""
    body = call.body(BulkBody)
    if (body.run_ids is None) == (body.filter is None):
        raise Problem(400, "invalid_body", "Send either runIds or filter.")
    seed = request_key(call, "bulk")
    engine = call.engine.bulk_actions
    if body.run_ids is not None:
        for run_id in body.run_ids:
            if not is_possible_id(run_id):
                raise RunNotFoundError(run_id)
        action_id = await engine.begin(body.action, body.run_ids, body.name or "", seed)
    else:
        filters = run_filters(_query(body.filter or BulkFilter()))
        action_id = await engine.begin(body.action, list(filters), body.name or "", seed)
    return Answer(BulkId(id=action_id))


async def retrieve(call: Call) -> BulkObject:
    """Return an action."""
    return _object(await call.engine.bulk_actions.read(call.path("action")))


async def list_actions(call: Call) -> BulkPage:
    """Return a page of the actions that are remembered. A cursor is an index."""
    query = call.query(BulkQuery)
    actions = await call.engine.bulk_actions.list()
    at = page_position(query.after, query.before)
    first = _index(at.cursor)
    if at.is_before:
        first = max(0, first - query.size)
    page = actions[first : first + query.size]
    end = first + len(page)
    pagination = CursorPage(
        next=issued(str(end)) if end < len(actions) else None,
        previous=issued(str(first)) if first and page else None,
    )
    return BulkPage(data=[_object(action) for action in page], pagination=pagination)


async def abort(call: Call) -> BulkId:
    """Stop an action before its next part."""
    action_id = call.path("action")
    await call.engine.bulk_actions.abort(action_id)
    return BulkId(id=action_id)


def _index(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 9:
        raise Problem(400, "invalid_cursor", "The cursor is not one of this list.", "Pass that of a page, unchanged.")
    return int(cursor)


def _query(given: BulkFilter) -> RunsQuery:
    """Return the filter as the one of a list.

    Raises:
        Problem: 400: it has no condition, and would take all runs.
    """
    refuse_bulk_filter(given.bulk_action)
    if not given.model_fields_set:
        raise Problem(400, "invalid_body", "The filter has no condition.", "All runs at once is refused: name some.")
    queues = [] if given.queue is None else given.queue if isinstance(given.queue, list) else [given.queue]
    names = [f"task/{queue.name.removeprefix('task/')}" if queue.type == "task" else queue.name for queue in queues]
    return RunsQuery(
        status=_joined(given.status),
        task=_joined(given.task_identifier),
        tag=_joined(given.tag),
        version=_joined(given.version),
        machine=_joined(given.machine),
        queue=",".join(names) or None,
        batch=given.batch,
        schedule=given.schedule,
        is_test=None if given.is_test is None else "true" if given.is_test else "false",
        created_from=_moment(given.created_from),
        created_to=_moment(given.created_to),
        period=given.period,
    )


def _joined(texts: Texts | None) -> str | None:
    return texts if texts is None or isinstance(texts, str) else ",".join(texts)


def _moment(given: str | float | None) -> str | None:
    return f"{given:.0f}" if isinstance(given, float | int) else given


def _object(action: BulkProgress) -> BulkObject:
    return BulkObject(
        id=action.id,
        type="CANCEL" if action.kind == "cancel" else "REPLAY",
        status=action.status.value,
        name=action.name or None,
        counts=BulkCounts(total=action.total or 0, success=action.success, failure=action.failure),
        created_at=action.created_at,
        completed_at=action.finished_at if action.status is not BulkStatus.PENDING else None,
    )


async def _needs(_: Call) -> Groups:
    return [["runs"]]


_WRITE: Final = public("write", _needs)
_READ: Final = public("read", _needs)
_PATH: Final = "/api/v1/bulk-actions"
ROUTES: Final = (
    ApiRoute(
        "POST", _PATH, begin, "Cancel or replay many runs.", _WRITE, body=BulkBody, answer=BulkId, status=202,
        statuses=(404,),
    ),
    ApiRoute("GET", _PATH, list_actions, "List bulk actions, newest first.", _READ, query=BulkQuery, answer=BulkPage),
    ApiRoute("GET", f"{_PATH}/{{action}}", retrieve, "Return a bulk action.", _READ, answer=BulkObject),
    ApiRoute("POST", f"{_PATH}/{{action}}/abort", abort, "Stop a bulk action.", _WRITE, answer=BulkId),
)  # fmt: skip
