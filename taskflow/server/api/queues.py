"""Queues: list, retrieve, pause, resume, and other limits."""

import base64
import binascii
from typing import Annotated, Final, Literal

from pydantic import Field

from taskflow.errors import QueueNotFoundError
from taskflow.models import QueueState
from taskflow.server.api.pagination import Digits
from taskflow.server.api.wire import AnyJson, Wire, or_null
from taskflow.server.call import Call
from taskflow.server.route import ApiRoute, public
from taskflow.server.scopes import Groups

QueueType = Literal["task", "custom", "id"]
_TASK: Final = "task/"
_ID: Final = "queue_"


class ConcurrencyObject(Wire):
    """A queue's limits: the declared one, the one that replaces it, and the one that counts."""

    current: AnyJson
    base: AnyJson
    override: AnyJson
    overridden_at: AnyJson
    overridden_by: AnyJson


class QueueObject(Wire):
    """A queue with its load."""

    id: str
    name: str
    type: Literal["task", "custom"]
    running: int
    queued: int
    paused: bool
    concurrency_limit: AnyJson
    concurrency: ConcurrencyObject


class OffsetPage(Wire):
    """The position of a page."""

    current_page: int
    total_pages: int
    count: int


class QueuesPage(Wire):
    """A page of queues, by name."""

    data: list[QueueObject]
    pagination: OffsetPage


class OffsetQuery(Wire):
    """A page by its number."""

    page: Annotated[Digits, Field(ge=1, le=1_000_000)] = 1
    per_page: Annotated[Digits, Field(ge=1, le=100)] = 20


class QueueQuery(Wire):
    """The kind of the name in the path: a task's id, a queue's own name, or the id of a listing."""

    type: QueueType = "id"


class PauseBody(Wire):
    """Pause or resume."""

    type: QueueType = "id"
    action: Literal["pause", "resume"]


class OverrideBody(Wire):
    """Another limit."""

    type: QueueType = "id"
    concurrency_limit: Annotated[int, Field(ge=0, le=100_000, strict=True)]


class ResetBody(Wire):
    """Return to the declared limit."""

    type: QueueType = "id"


async def list_queues(call: Call) -> QueuesPage:
    """Return a page of the queues that are declared or in use."""
    query = call.query(OffsetQuery)
    states = await call.engine.queues.alist()
    first = (query.page - 1) * query.per_page
    pages = max(1, -(-len(states) // query.per_page))
    return QueuesPage(
        data=[queue_object(state) for state in states[first : first + query.per_page]],
        pagination=OffsetPage(current_page=query.page, total_pages=pages, count=len(states)),
    )


async def retrieve(call: Call) -> QueueObject:
    """Return a queue."""
    return await _state(call, queue_name(call.path("queue"), call.query(QueueQuery).type))


async def pause(call: Call) -> QueueObject:
    """Start no more runs of a queue, or let them start again."""
    body = call.body(PauseBody)
    name = queue_name(call.path("queue"), body.type)
    await call.engine.queues.acontrol(name, body.action)
    return await _state(call, name)


async def override(call: Call) -> QueueObject:
    """Replace the declared limit."""
    body = call.body(OverrideBody)
    name = queue_name(call.path("queue"), body.type)
    await call.engine.queues.acontrol(name, "override", body.concurrency_limit)
    return await _state(call, name)


async def reset(call: Call) -> QueueObject:
    """Return to the declared limit."""
    name = queue_name(call.path("queue"), call.body(ResetBody).type)
    await call.engine.queues.acontrol(name, "reset")
    return await _state(call, name)


def queue_name(given: str, kind: QueueType) -> str:
    """Return the name of the queue that a path and a type name. The client encodes a slash twice.

    Raises:
        QueueNotFoundError: No queue can have that id.
    """
    name = given.replace("%2F", "/").replace("%2f", "/")
    if kind == "task":
        return name if name.startswith(_TASK) else f"{_TASK}{name}"
    if kind == "custom":
        return name
    if not name.startswith(_ID):
        raise QueueNotFoundError(name, "With type=id the id of a listing is needed; else use type=task or type=custom.")
    text = name.removeprefix(_ID).upper()
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8)).decode()
    except (binascii.Error, ValueError):
        raise QueueNotFoundError(name, "That is not the id of a listing.") from None


def queue_id(name: str) -> str:
    """Return the id of a queue, which is its name in another form, so that no table of ids is needed."""
    return _ID + base64.b32encode(name.encode()).decode().rstrip("=").lower()


def queue_object(state: QueueState) -> QueueObject:
    """Return a queue on the wire."""
    is_task = state.name.startswith(_TASK)
    limit = state.concurrency_limit
    return QueueObject(
        id=queue_id(state.name),
        name=state.name.removeprefix(_TASK),
        type="task" if is_task else "custom",
        running=state.running,
        queued=state.queued,
        paused=state.is_paused,
        concurrency_limit=or_null(limit),
        concurrency=ConcurrencyObject(
            current=or_null(limit),
            base=or_null(state.declared_limit),
            override=or_null(limit if state.overridden_at else None),
            overridden_at=or_null(state.overridden_at),
            overridden_by=or_null(state.overridden_by),
        ),
    )


async def _state(call: Call, name: str) -> QueueObject:
    return queue_object(await call.engine.queues.aretrieve(name))


async def _needs(_: Call) -> Groups:
    return [["queues"]]


_READ: Final = public("read", _needs)
_WRITE: Final = public("write", _needs)
_QUEUE: Final = "/api/v1/queues/{queue:path}"
ROUTES: Final = (
    ApiRoute("GET", "/api/v1/queues", list_queues, "List queues.", _READ, query=OffsetQuery, answer=QueuesPage),
    ApiRoute(
        "POST", f"{_QUEUE}/pause", pause, "Pause or resume a queue.", _WRITE, body=PauseBody, answer=QueueObject
    ),
    ApiRoute(
        "POST", f"{_QUEUE}/concurrency/override", override, "Replace a queue's limit.", _WRITE, body=OverrideBody,
        answer=QueueObject,
    ),
    ApiRoute(
        "POST", f"{_QUEUE}/concurrency/reset", reset, "Return to a queue's declared limit.", _WRITE, body=ResetBody,
        is_body_optional=True, answer=QueueObject,
    ),
    ApiRoute("GET", _QUEUE, retrieve, "Return a queue.", _READ, query=QueueQuery, answer=QueueObject),
)  # fmt: skip
