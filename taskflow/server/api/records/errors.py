"""Groups of errors for the Python client."""

from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from taskflow.definition.queue import check_reason
from taskflow.errors import ErrorGroupNotFoundError
from taskflow.seams.error_groups import ErrorState
from taskflow.seams.record_documents import record_document
from taskflow.server.api.records.documents import answer, answer_record
from taskflow.server.api.records.runs import PREFIX
from taskflow.server.call import Call
from taskflow.server.route import ApiRoute
from taskflow.texts import text_fault
from taskflow.verbs.error_groups import LONGEST_VERSION


class PeriodQuery(BaseModel):
    """A period."""

    since: AwareDatetime
    until: AwareDatetime


class GroupQuery(PeriodQuery):
    """A group, and the period whose failures count."""

    id: str = ""


class Change(BaseModel):
    """A change of a group's state."""

    id: str
    state: ErrorState
    resolved_in: Annotated[str, Field(min_length=1, max_length=LONGEST_VERSION)] | None = None
    reason: str = ""


async def list_(call: Call) -> Response:
    """Return the groups that failed in a period."""
    query = call.query(PeriodQuery)
    groups = await call.engine.errors.alist(query.since, query.until)
    return answer(errors=[record_document(group) for group in groups])


async def retrieve(call: Call) -> Response:
    """Return one group."""
    query = call.query(GroupQuery)
    group = await call.engine.errors.aretrieve(_checked(query.id), query.since, query.until)
    return answer_record(record_document(group))


async def change(call: Call) -> Response:
    """Open, mute or resolve a group."""
    wanted = call.body(Change)
    reason = check_reason(wanted.reason)
    await call.engine.errors.achange(_checked(wanted.id), wanted.state, wanted.resolved_in, reason)
    return answer()


def _checked(group_id: str) -> str:
    if not group_id or text_fault(group_id):
        raise ErrorGroupNotFoundError(group_id)
    return group_id


ROUTES: Final = (
    ApiRoute("GET", f"{PREFIX}/errors", list_, "Return groups of errors.", query=PeriodQuery, is_hidden=True),
    ApiRoute("GET", f"{PREFIX}/error", retrieve, "Return one group.", query=GroupQuery, is_hidden=True),
    ApiRoute("POST", f"{PREFIX}/error/change", change, "Change a group's state.", body=Change, is_hidden=True),
)
