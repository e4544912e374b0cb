"""Runs for the Python client."""

from typing import Annotated, Final, Literal, cast

from pydantic import BaseModel, Field
from pydantic_core import from_json
from starlette.responses import Response

from taskflow.definition.calls.bulk import BulkAction
from taskflow.definition.calls.run_filter import RunField, check_fields, check_page_size
from taskflow.definition.calls.trigger_options import check_tags
from taskflow.errors import RunNotFoundError
from taskflow.seams.record_documents import record_document
from taskflow.server.api.records.documents import answer, answer_record, due_of, filter_of, id_of
from taskflow.server.api.tasks import request_key
from taskflow.server.call import Call
from taskflow.server.route import ApiRoute
from taskflow.texts import is_possible_id

PREFIX: Final = "/api/taskflow/v1"
_IDS: Final = 1000
_READ_AT_ONCE: Final = 50
_ENOUGH_BYTES: Final = 4_000_000
"""Outputs of one answer; the client asks again for the runs that are left."""
RunIds = Annotated[list[str], Field(max_length=_IDS)]


class ListQuery(BaseModel):
    """A page of runs. ``where`` is the JSON of a filter."""

    limit: int = 50
    where: str | None = None
    cursor: str | None = None


class CountQuery(BaseModel):
    """Fields to count by, with commas, and a filter."""

    by: str = "status"
    where: str | None = None


class IdsQuery(BaseModel):
    """Ids of runs, one a line."""

    ids: str = ""


class Replay(BaseModel):
    """The kind of a replay."""

    keep_journal: bool = False
    step: str | None = None


class Resume(BaseModel):
    """The step from which a run goes on."""

    step: str | None = None


class Reschedule(BaseModel):
    """The new start of a run: seconds from now, or an instant."""

    delay: str | float


class Tags(BaseModel):
    """Tags to add."""

    tags: list[str]


class Bulk(BaseModel):
    """A part of a bulk action."""

    kind: Literal["cancel", "replay"]
    ids: RunIds


async def retrieve(call: Call) -> Response:
    """Return a run's record."""
    return answer_record(record_document(await call.engine.runs.aretrieve(run_id_of(call))))


async def status(call: Call) -> Response:
    """Return a run's status."""
    return answer(status=await call.engine.runs.astatus(run_id_of(call)))


async def list_(call: Call) -> Response:
    """Return a page of runs."""
    query = call.query(ListQuery)
    page = await call.engine.runs.alist(check_page_size(query.limit), filter_of(query.where), query.cursor)
    return answer(runs=[record_document(run) for run in page], cursor=page.cursor)


async def search(call: Call) -> Response:
    """Return all runs that match a filter."""
    found = await call.engine.runs.afind(filter_of(call.query(ListQuery).where))
    return answer(runs=[record_document(run) for run in found])


async def count(call: Call) -> Response:
    """Count runs by some of their fields."""
    query = call.query(CountQuery)
    fields = check_fields(tuple(cast("list[RunField]", query.by.split(","))))
    counts = await call.engine.runs.acount(fields, filter_of(query.where))
    return answer(counts=[{"values": values, "count": number} for values, number in counts.items()])


async def results(call: Call) -> Response:
    """Return the statuses of runs, with output and error of those that have ended. Unknown ones are left out.

    ``left`` are the runs that were not looked at, because the answer has become large.
    """
    ids = [run_id for run_id in call.query(IdsQuery).ids.split("\n") if run_id and is_possible_id(run_id)]
    shown: list[dict[str, object]] = []
    size = 0
    while ids and size < _ENOUGH_BYTES:
        part, ids = ids[:_READ_AT_ONCE], ids[_READ_AT_ONCE:]
        for run_id, result in (await call.engine.ends.aread(part)).items():
            shown.append(_result(run_id, *result))
            size += len(result[1] or b"")
    return answer(results=shown, left=ids)


async def cancel(call: Call) -> Response:
    """Cancel a run."""
    return answer(canceled=await call.engine.runs.acancel(run_id_of(call)))


async def replay(call: Call) -> Response:
    """Make a run like another one."""
    wanted, run_id = call.body(Replay), run_id_of(call)
    if wanted.keep_journal or wanted.step is not None:
        return answer(id=await call.engine.journals.areplay(run_id, wanted.step))
    return answer(id=await call.engine.runs.areplay(run_id, seed=request_key(call, "replay")))


async def resume(call: Call) -> Response:
    """Let a durable run go on with the code that is up."""
    return answer(status=await call.engine.journals.aresume(run_id_of(call), call.body(Resume).step))


async def reschedule(call: Call) -> Response:
    """Move the start of a delayed run."""
    due = await call.engine.runs.areschedule(run_id_of(call), due_of(call.body(Reschedule).delay))
    return answer(due_at=due.isoformat())


async def add_tags(call: Call) -> Response:
    """Add tags to a run."""
    return answer(ignored=await call.engine.runs.aadd_tags(run_id_of(call), check_tags(call.body(Tags).tags)))


async def bulk(call: Call) -> Response:
    """Cancel or replay some runs."""
    wanted = call.body(Bulk)
    action: BulkAction = await call.engine.runs.abulk(wanted.kind, wanted.ids, None, seed=request_key(call, "replay"))
    failures = [{"run_id": failure.run_id, "reason": failure.reason} for failure in action.failures]
    return answer(success=action.success, failures=failures, run_ids=list(action.run_ids))


def run_id_of(call: Call) -> str:
    """Return the run of the path.

    Raises:
        RunNotFoundError: No run has such an id.
    """
    run_id = id_of(call, "run_id")
    if not is_possible_id(run_id):
        raise RunNotFoundError(run_id)
    call.note_run(run_id)
    return run_id


def _result(run_id: str, status: object, output: bytes | None, error: object) -> dict[str, object]:
    fields: dict[str, object] = {"id": run_id, "status": status}
    if output:
        fields["output"] = from_json(output)
    return fields if error is None else fields | {"error": record_document(error)}


def _of(run: str) -> str:
    return f"{PREFIX}/runs/{{run_id}}{run}"


ROUTES: Final = tuple(
    ApiRoute(method, path, handler, handler.__doc__ or "", body=body, query=query, is_hidden=True)
    for method, path, handler, body, query in (
        ("GET", f"{PREFIX}/runs", list_, None, ListQuery),
        ("GET", f"{PREFIX}/run-search", search, None, ListQuery),
        ("GET", f"{PREFIX}/run-counts", count, None, CountQuery),
        ("GET", f"{PREFIX}/run-results", results, None, IdsQuery),
        ("POST", f"{PREFIX}/bulk", bulk, Bulk, None),
        ("GET", _of(""), retrieve, None, None),
        ("GET", _of("/status"), status, None, None),
        ("POST", _of("/cancel"), cancel, None, None),
        ("POST", _of("/replay"), replay, Replay, None),
        ("POST", _of("/resume"), resume, Resume, None),
        ("POST", _of("/reschedule"), reschedule, Reschedule, None),
        ("POST", _of("/tags"), add_tags, Tags, None),
    )
)
