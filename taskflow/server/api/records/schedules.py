"""Schedules for the Python client."""

from typing import Annotated, Any, Final, cast

from pydantic import BaseModel, Field
from starlette.responses import Response

from taskflow.definition.scheduling.options import ScheduleKeywords, ScheduleOptions
from taskflow.errors import ScheduleNotFoundError
from taskflow.seams.record_documents import record_document
from taskflow.server.api.records.documents import answer, answer_record, id_of
from taskflow.server.api.records.runs import PREFIX
from taskflow.server.api.tasks import repeat_key
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.route import ApiRoute
from taskflow.texts import is_encodable

_OPTIONS: Final = frozenset(ScheduleOptions.__dataclass_fields__)


class Create(BaseModel):
    """A schedule of a task: the options under their own names, durations in seconds."""

    task: str
    options: dict[str, Any]


class Update(BaseModel):
    """Options that replace others."""

    task: str | None = None
    options: dict[str, Any] = {}


class ListQuery(BaseModel):
    """A page of schedules."""

    page: Annotated[int, Field(ge=1, le=10**9)] = 1
    per_page: Annotated[int, Field(ge=1, le=1000)] = 50
    task: str | None = None


async def create(call: Call) -> Response:
    """Make a schedule."""
    body = call.body(Create)
    options = ScheduleOptions.checked(**cast("ScheduleKeywords", _checked(body.options)))
    return answer_record(record_document(await call.engine.schedules.acreate(body.task, options)))


async def retrieve(call: Call) -> Response:
    """Return a schedule."""
    return answer_record(record_document(await call.engine.schedules.aretrieve(_id(call))))


async def list_(call: Call) -> Response:
    """Return a page of schedules."""
    query = call.query(ListQuery)
    page = await call.engine.schedules.alist(query.page, query.per_page, query.task)
    return answer(schedules=[record_document(schedule) for schedule in page], total=page.total)


async def update(call: Call) -> Response:
    """Change a schedule."""
    body = call.body(Update)
    changed = await call.engine.schedules.aupdate(_id(call), _checked(body.options), body.task)
    return answer_record(record_document(changed))


async def activate(call: Call) -> Response:
    """Let a schedule fire again."""
    return answer_record(record_document(await call.engine.schedules.aactivate(_id(call))))


async def deactivate(call: Call) -> Response:
    """Let a schedule fire no more."""
    return answer_record(record_document(await call.engine.schedules.adeactivate(_id(call))))


async def delete(call: Call) -> Response:
    """Delete a schedule."""
    await call.engine.schedules.adelete(_id(call))
    return answer()


async def run_now(call: Call) -> Response:
    """Make a run now."""
    run_id = await call.engine.schedules.arun_now(_id(call), seed=repeat_key(call, f"run now {_id(call)}"))
    call.note_run(run_id)
    return answer(id=run_id)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    if unknown := options.keys() - _OPTIONS:
        raise Problem(400, "invalid_body", f"options: there is no {', '.join(sorted(unknown))[:200]}.")
    return options


def _id(call: Call) -> str:
    schedule_id = id_of(call, "schedule_id")
    if not is_encodable(schedule_id):
        raise ScheduleNotFoundError(schedule_id)
    return schedule_id


_PATH: Final = f"{PREFIX}/schedules"
ROUTES: Final = tuple(
    ApiRoute(
        method, f"{PREFIX}/schedules{path}", handler, handler.__doc__ or "", body=body, query=query, is_hidden=True
    )
    for method, path, handler, body, query in (
        ("POST", "", create, Create, None),
        ("GET", "", list_, None, ListQuery),
        ("GET", "/{schedule_id}", retrieve, None, None),
        ("POST", "/{schedule_id}/update", update, Update, None),
        ("POST", "/{schedule_id}/activate", activate, None, None),
        ("POST", "/{schedule_id}/deactivate", deactivate, None, None),
        ("POST", "/{schedule_id}/delete", delete, None, None),
        ("POST", "/{schedule_id}/run-now", run_now, None, None),
    )
)
