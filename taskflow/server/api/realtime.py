"""Following runs: the shapes that the official client polls, and events of one run for every other client."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import Field
from starlette.responses import Response

from taskflow.durations import parse_duration
from taskflow.errors import DefinitionError, RunNotFoundError
from taskflow.server.api.wire import Text, Wire
from taskflow.server.auth import PublicToken
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.realtime.event_stream import EventStream
from taskflow.server.realtime.polling import answer_shape
from taskflow.server.realtime.run_events import run_events
from taskflow.server.realtime.run_progress import position_of
from taskflow.server.realtime.run_sets import OneRun, RunsOfBatch, TaggedRuns
from taskflow.server.realtime.shape import ShapeRequest
from taskflow.server.route import ApiRoute, public
from taskflow.server.scopes import Groups

_MOST_TAGS: Final = 10
_DEFAULT_SPAN: Final = timedelta(hours=24)
_MILLISECONDS: Final = re.compile(r"[0-9]{1,15}")


class ShapeQuery(Wire):
    """A request for a shape. What the client sends back from the answer before is opaque to it."""

    UNSUPPORTED = frozenset({"log", "columns", "expired_handle", "cache-buster"})
    skip_columns: Text = ""
    offset: Text = "-1"
    handle: Text = ""
    live: Text = ""
    cursor: Text = ""

    def skipped(self, call: Call) -> frozenset[str]:
        """Return the columns to leave out: those of the token, if it names any, else those of the query."""
        caller = call.caller
        if isinstance(caller, PublicToken) and caller.skip_columns:
            return frozenset(caller.skip_columns)
        return frozenset(self.skip_columns.split(","))

    def request(self, call: Call, since: datetime | None = None) -> ShapeRequest:
        """Return the request."""
        given = {"offset": self.offset, "handle": self.handle, "live": self.live}
        return ShapeRequest.read(given, len(call.engine.feed().shards), since)


class TagQuery(ShapeQuery):
    """A request for the runs that have all of some tags, made in a last duration."""

    tags: Text = Field(min_length=1)
    created_at: Text = ""


async def follow_run(call: Call) -> Response:
    """Answer with the row of a run."""
    query = call.query(ShapeQuery)
    call.note_run(call.path("run_id"))
    return await answer_shape(call, query.request(call), OneRun(call.path("run_id")), query.skipped(call))


async def follow_tags(call: Call) -> Response:
    """Answer with the rows of runs that have all of some tags."""
    query = call.query(TagQuery)
    request = query.request(call, datetime.now(UTC) - _span(query.created_at))
    return await answer_shape(call, request, TaggedRuns(_tags(call), request.since), query.skipped(call))


async def follow_batch(call: Call) -> Response:
    """Answer with the rows of a batch's runs."""
    query = call.query(ShapeQuery)
    batch = await call.engine.batches.aretrieve(call.path("batch"))
    wanted = RunsOfBatch(batch.id, frozenset(batch.run_ids))
    return await answer_shape(call, query.request(call), wanted, query.skipped(call))


async def events(call: Call) -> Response:
    """Send the events of a run as server-sent events, behind the client's last one."""
    run_id, given = call.path("run_id"), call.request.headers.get("last-event-id") or None
    after = None if given is None else position_of(given)
    if given is not None and after is None:
        error = "The header last-event-id is not the id of an event of this server."
        raise Problem(400, "invalid_last_event_id", error, "Leave it out to get all events of the run.")
    is_over = (await call.engine.runs.astatus(run_id)).is_finished
    call.note_run(run_id)
    source = run_events(call.engine, run_id, after)
    if not is_over or after is None:
        return EventStream(call.server, source)
    chunks = [chunk async for chunk in source]
    # 204 keeps a browser's EventSource from asking again for ever.
    return Response(b"".join(chunks), 200, media_type="text/event-stream") if chunks else Response(status_code=204)


async def read_run(call: Call) -> Groups:
    """Return what a token must allow reading for one run: the run, its task, any of its tags, or its batch."""
    run_id = call.path("run_id")
    caller = call.caller
    if isinstance(caller, PublicToken) and f"read:runs:{run_id}" in caller.scopes:
        return [[f"runs:{run_id}"]]
    feed = call.engine.feed()
    run = await feed.records.read(run_id) or await call.engine.runs.aretrieve(run_id)
    tags = [f"tags:{tag}" for tag in run.tags]
    return [[f"runs:{run_id}", f"tasks:{run.task_id}", *tags, *([f"batch:{run.batch_id}"] if run.batch_id else [])]]


async def read_existing_run(call: Call) -> Groups:
    """Return the same; of an unknown run the run itself, so that a token for all runs gets 404 and another one 403."""
    try:
        return await read_run(call)
    except RunNotFoundError:
        return [[f"runs:{call.path('run_id')}"]]


async def _read_tags(call: Call) -> Groups:
    return [[*(f"tags:{tag}" for tag in sorted(_tags(call))), "runs"]]


async def _read_batch(call: Call) -> Groups:
    return [[f"batch:{call.path('batch')}", "runs"]]


def _tags(call: Call) -> frozenset[str]:
    tags = frozenset(tag for tag in call.query(TagQuery).tags.split(",") if tag)
    if not 1 <= len(tags) <= _MOST_TAGS:
        raise Problem(400, "invalid_query", f"tags: 1 to {_MOST_TAGS} of them, joined by commas.")
    return tags


def _span(text: str) -> timedelta:
    """Return how far back runs may have been made: a duration, or ms since 1970."""
    if not text:
        return _DEFAULT_SPAN
    try:
        if _MILLISECONDS.fullmatch(text):
            return max(timedelta(0), datetime.now(UTC) - datetime.fromtimestamp(int(text) / 1000, UTC))
        return parse_duration(text, option="createdAt")
    except DefinitionError as wrong:
        raise Problem(400, "invalid_query", f"createdAt: {wrong.what}.", wrong.remedy) from None
    except (OverflowError, OSError, ValueError):
        raise Problem(400, "invalid_query", "createdAt: that is no instant of the years 1 to 9999.") from None


ROUTES: Final = (
    ApiRoute(
        "GET",
        "/realtime/v1/runs",
        follow_tags,
        "Follow the runs that have all of some tags.",
        public("read", _read_tags),
        query=TagQuery,
    ),
    ApiRoute(
        "GET",
        "/realtime/v1/runs/{run_id}",
        follow_run,
        "Follow a run.",
        public("read", read_existing_run),
        query=ShapeQuery,
    ),
    ApiRoute(
        "GET",
        "/realtime/v1/batches/{batch}",
        follow_batch,
        "Follow the runs of a batch.",
        public("read", _read_batch),
        query=ShapeQuery,
    ),
    ApiRoute(
        "GET",
        "/api/v1/runs/{run_id}/events",
        events,
        "Follow a run's statuses, attempts, metadata and tags as server-sent events.",
        public("read", read_existing_run),
        content_type="text/event-stream",
        statuses=(400,),
    ),
)
