"""Tasks for the Python client."""

from typing import Final

from pydantic import BaseModel
from starlette.responses import Response

from taskflow.errors import TaskNotFoundError
from taskflow.seams.record_documents import record_document
from taskflow.server.api.records.documents import answer, answer_record
from taskflow.server.api.records.runs import PREFIX
from taskflow.server.call import Call
from taskflow.server.route import ApiRoute


class IdQuery(BaseModel):
    """A task's id."""

    id: str = ""


async def list_(call: Call) -> Response:
    """Return the tasks of the environment, with the schemas of their payloads."""
    return answer(tasks=[record_document(task) for task in await call.engine.tasks.alist()])


async def retrieve(call: Call) -> Response:
    """Return one task."""
    task_id = call.query(IdQuery).id
    task = await call.engine.tasks.aretrieve(task_id)
    if task is None:
        raise TaskNotFoundError(task_id, "Nor has a worker registered it.")
    return answer_record(record_document(task))


ROUTES: Final = (
    ApiRoute("GET", f"{PREFIX}/tasks", list_, "Return the tasks.", is_hidden=True),
    ApiRoute("GET", f"{PREFIX}/task", retrieve, "Return one task.", query=IdQuery, is_hidden=True),
)
