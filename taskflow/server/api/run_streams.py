"""The streams of runs: read as server-sent events, and items sent to a run or appended for it."""

from datetime import timedelta
from typing import Final, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from starlette.responses import Response

from taskflow.definition.documents.stream_items import LARGEST_ITEM, LAST_INDEX, StreamItems
from taskflow.errors import RunNotFoundError
from taskflow.seams.streams import StreamAddress, StreamKind
from taskflow.server.api.realtime import read_existing_run
from taskflow.server.api.wire import AnyJson, Wire
from taskflow.server.bodies import json_value, read_body
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.realtime.event_stream import EventStream
from taskflow.server.realtime.stream_items import stream_items
from taskflow.server.route import ApiRoute, public
from taskflow.server.scopes import Groups

_DEFAULT_SECONDS: Final = 60
_LONGEST_SECONDS: Final = 600
Target = Literal["self", "parent", "root"]
_TARGETS: Final = TypeAdapter[Target](Target)


class InputBody(Wire):
    """One item, any JSON."""

    data: AnyJson = None


class OkAnswer(Wire):
    """The item is in the stream."""

    ok: bool = True


async def read(call: Call) -> Response:
    """Send the items of a stream, until the run has ended and all were sent, or nothing has come for a while."""
    address = _address(call.path("run_id"), "stream", call.path("name"))
    start, headers = _start(call), call.request.headers
    await call.engine.runs.astatus(address.run_id)
    call.note_run(address.run_id)
    if start is None:
        is_latest = headers.get("x-trigger-stream-start") == "latest"
        start = await _count(call, address) if is_latest else 0
    source = stream_items(call.engine, address, start, _patience(call))
    return EventStream(call.server, source, {"x-stream-version": "v1"})


async def send(call: Call) -> OkAnswer:
    """Send an item to a run."""
    address = _address(call.path("run_id"), "input", call.path("name"))
    await _append(call, address, to_json(call.body(InputBody).data))
    return OkAnswer()


async def append(call: Call) -> OkAnswer:
    """Append an item to a stream of a run, of its parent, or of the run at the top of its family."""
    run_id = await _target(call)
    address = _address(run_id, "stream", call.path("name"))
    content = await read_body(call.request, call.server, LARGEST_ITEM)
    await _append(call, address, _item(content))
    return OkAnswer()


async def _append(call: Call, address: StreamAddress, document: bytes) -> None:
    call.note_run(address.run_id)
    if len(document) > LARGEST_ITEM:
        error = f"The item has {len(document):,} bytes of JSON and the limit is {LARGEST_ITEM:,}."
        raise Problem(413, "item_too_large", error, "Store the data elsewhere and send its address.")
    await call.engine.streams.aappend(address, [document])


async def _target(call: Call) -> str:
    """Return the run whose stream it is."""
    run_id = call.path("run_id")
    try:
        target = _TARGETS.validate_python(call.path("target"))
    except ValidationError:
        raise Problem(404, "not_supported", "The target of a stream is self, parent or root.") from None
    if target == "self":
        return run_id
    run = await call.engine.runs.aretrieve(run_id)
    return (run.parent_id if target == "parent" else run.root_id) or run_id


async def _count(call: Call, address: StreamAddress) -> int:
    try:
        return await call.engine.streams.acount(address)
    except RunNotFoundError:  # the store has forgotten it, the history has not
        return 0


def _item(content: bytes) -> bytes:
    """Return the JSON of an item: what was sent, or a text that is no JSON as one."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Problem(400, "invalid_item", "The item is neither JSON nor UTF-8 text.") from None
    try:
        return to_json(json_value(content))
    except ValueError:
        return to_json(text)


def _address(run_id: str, kind: StreamKind, name: str) -> StreamAddress:
    return StreamAddress(run_id, kind, StreamItems(name, None).name)


def _start(call: Call) -> int | None:
    """Return the index behind the client's last item, None when it has none."""
    given = call.request.headers.get("last-event-id")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 16 and int(given) < LAST_INDEX):
        error = "The header last-event-id is not the index of an item."
        raise Problem(400, "invalid_last_event_id", error, "Leave it out to read from the beginning.")
    return int(given) + 1


def _patience(call: Call) -> timedelta:
    given = call.request.headers.get("timeout-seconds") or str(_DEFAULT_SECONDS)
    seconds = int(given) if given.isascii() and given.isdigit() and len(given) < 6 else 0
    if not 1 <= seconds <= _LONGEST_SECONDS:
        raise Problem(400, "invalid_timeout", f"timeout-seconds: a whole number from 1 to {_LONGEST_SECONDS}.")
    return timedelta(seconds=seconds)


async def _write_input(call: Call) -> Groups:
    return [[f"inputStreams:{call.path('run_id')}"]]


ROUTES: Final = (
    ApiRoute(
        "POST", "/realtime/v1/streams/{run_id}/input/{name:path}", send, "Send an item to a run.",
        public("write", _write_input), body=InputBody, answer=OkAnswer, statuses=(422,),
    ),
    ApiRoute(
        "POST", "/realtime/v1/streams/{run_id}/{target}/{name:path}/append", append, "Append an item to a stream.",
        body_type="*/*", answer=OkAnswer, statuses=(400, 422),
    ),
    ApiRoute(
        "GET", "/realtime/v1/streams/{run_id}/{name:path}", read, "Read a run's stream as server-sent events.",
        public("read", read_existing_run), content_type="text/event-stream", statuses=(400, 422),
    ),
)  # fmt: skip
