"""Queues, the environment and the server for the Python client."""

from importlib.metadata import version
from typing import Final, Literal

from pydantic import BaseModel
from starlette.responses import Response

from taskflow.definition.queue import check_limit, check_reason
from taskflow.errors import QueueNotFoundError
from taskflow.seams.engine import QueueCommand
from taskflow.seams.record_documents import record_document
from taskflow.server.api.records.documents import answer, answer_record
from taskflow.server.api.records.runs import PREFIX
from taskflow.server.auth import SecretKey
from taskflow.server.call import Call
from taskflow.server.route import ApiRoute
from taskflow.texts import is_encodable


class NameQuery(BaseModel):
    """A queue's name."""

    name: str = ""


class Control(BaseModel):
    """A change of one queue."""

    name: str
    command: QueueCommand
    limit: int | None = None
    reason: str = ""


class ControlAll(BaseModel):
    """A change of the environment."""

    command: Literal["pause", "resume"]
    reason: str = ""


async def list_(call: Call) -> Response:
    """Return every queue."""
    return answer(queues=[record_document(state) for state in await call.engine.queues.alist()])


async def retrieve(call: Call) -> Response:
    """Return one queue."""
    name = _checked(call.query(NameQuery).name)
    return answer_record(record_document(await call.engine.queues.aretrieve(name)))


async def control(call: Call) -> Response:
    """Change one queue."""
    wanted = call.body(Control)
    limit = check_limit("limit", wanted.limit) if wanted.command == "override" else None
    await call.engine.queues.acontrol(_checked(wanted.name), wanted.command, limit, check_reason(wanted.reason))
    return answer()


async def environment(call: Call) -> Response:
    """Return the environment's limit, and whether it is paused."""
    return answer_record(record_document(await call.engine.queues.aenvironment()))


async def control_environment(call: Call) -> Response:
    """Pause or resume the environment."""
    wanted = call.body(ControlAll)
    await call.engine.queues.acontrol_environment(wanted.command, check_reason(wanted.reason))
    return answer()


async def server(call: Call) -> Response:
    """Return the version of the server, and the environment of the key."""
    is_read_only = isinstance(call.caller, SecretKey) and call.caller.key.is_read_only
    environment = call.flow.settings.environment
    return answer(version=version("celery-taskflow"), environment=environment, is_read_only=is_read_only)


def _checked(name: str) -> str:
    if not name or not is_encodable(name):
        raise QueueNotFoundError(name, "Give the queue's name.")
    return name


ROUTES: Final = tuple(
    ApiRoute(method, f"{PREFIX}/{path}", handler, handler.__doc__ or "", body=body, query=query, is_hidden=True)
    for method, path, handler, body, query in (
        ("GET", "server", server, None, None),
        ("GET", "queues", list_, None, None),
        ("GET", "queue", retrieve, None, NameQuery),
        ("POST", "queue/control", control, Control, None),
        ("GET", "environment", environment, None, None),
        ("POST", "environment/control", control_environment, ControlAll, None),
    )
)
