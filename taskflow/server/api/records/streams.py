"""Event streams for the Python client: ends of runs, and the changes, log lines and streams of one run."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Final

from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.responses import Response

from taskflow.definition.documents.stream_items import StreamItems, check_index
from taskflow.durations import parse_timeout
from taskflow.seams.record_documents import record_document
from taskflow.seams.streams import StreamAddress, StreamKind
from taskflow.server.api.records.documents import answer
from taskflow.server.api.records.event_streams import END, SourceEvent, answer_events
from taskflow.server.api.records.runs import PREFIX, run_id_of
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.route import ApiRoute

_READY: Final = SourceEvent("ready")


class LogQuery(BaseModel):
    """Whether to go on with the lines to come."""

    follow: bool = False


class ReadQuery(BaseModel):
    """The first item, whether to go on with items to come, and the longest silence, in seconds."""

    start: int = 0
    follow: bool = True
    timeout: float | None = None


class Items(BaseModel):
    """Items to append."""

    items: Annotated[list[object], Field(max_length=1000)] = []
    closing: bool = False


async def run_ends(call: Call) -> Response:
    """Follow the ends of all runs."""
    return await answer_events(call, _ends(call))


async def changes(call: Call) -> Response:
    """Follow one run."""
    return await answer_events(call, _changes(call))


async def logs(call: Call) -> Response:
    """Read the lines of a run."""
    await call.engine.runs.astatus(run_id_of(call))
    return await answer_events(call, _lines(call))


async def read(call: Call) -> Response:
    """Read a stream of a run."""
    address, query = _address(call), call.query(ReadQuery)
    check_index(address.name, query.start)
    await call.engine.runs.astatus(address.run_id)
    return await answer_events(call, _items(call, address, query))


async def append(call: Call) -> Response:
    """Append items to a stream of a run."""
    address, body = _address(call), call.body(Items)
    items = StreamItems(address.name, None)
    documents = [items.dump(item) for item in body.items]
    return answer(count=await call.engine.streams.aappend(address, documents, closing=body.closing))


async def _ends(call: Call) -> AsyncGenerator[SourceEvent]:
    async with aclosing(call.engine.ends.afollow()) as ends:
        async for run_ids in ends:
            yield SourceEvent("ends", to_json(run_ids)) if run_ids else _READY


async def _changes(call: Call) -> AsyncGenerator[SourceEvent]:
    async with aclosing(call.engine.runs.asubscribe(run_id_of(call))) as runs:
        async for run in runs:
            yield SourceEvent("run", to_json(record_document(run)))


async def _lines(call: Call) -> AsyncGenerator[SourceEvent]:
    yield _READY
    async with aclosing(call.engine.logs.alines(run_id_of(call), follow=call.query(LogQuery).follow)) as lines:
        async for line in lines:
            yield SourceEvent("line", to_json(record_document(line)))
    yield END


async def _items(call: Call, address: StreamAddress, query: ReadQuery) -> AsyncGenerator[SourceEvent]:
    yield _READY
    timeout = parse_timeout(query.timeout)
    async with aclosing(
        call.engine.streams.aread(address, query.start, timeout=timeout, follow=query.follow)
    ) as documents:
        async for document in documents:
            yield SourceEvent("item", document)
    yield END


def _address(call: Call) -> StreamAddress:
    run_id, kind, name = run_id_of(call), call.path("kind"), call.path("name")
    kinds: dict[str, StreamKind] = {"stream": "stream", "input": "input"}
    if kind in kinds:
        return StreamAddress(run_id, kinds[kind], StreamItems(name, None).name)
    raise Problem(404, "not_supported", "A stream is a `stream` or an `input`.", should_retry=False)


_STREAM: Final = f"{PREFIX}/runs/{{run_id}}/streams/{{kind}}/{{name:path}}"
_EVENTS: Final = "text/event-stream"
ROUTES: Final = (
    *(
        ApiRoute("GET", path, handler, handler.__doc__ or "", query=query, content_type=_EVENTS, is_hidden=True)
        for path, handler, query in (
            (f"{PREFIX}/run-ends", run_ends, None),
            (f"{PREFIX}/runs/{{run_id}}/changes", changes, None),
            (f"{PREFIX}/runs/{{run_id}}/logs", logs, LogQuery),
            (_STREAM, read, ReadQuery),
        )
    ),
    ApiRoute("POST", _STREAM, append, "Append items to a stream of a run.", body=Items, is_hidden=True),
)
