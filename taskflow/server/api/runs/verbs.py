"""Runs by id: retrieve, cancel, replay, reschedule, tags, metadata, result."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final, cast
from uuid import uuid4

from pydantic import Field, StringConstraints
from pydantic_core import from_json, to_json

from taskflow.definition.calls.trigger_options import TriggerKeywords, check_due, check_tags
from taskflow.errors import RunNotFoundError
from taskflow.models import Run, RunError, RunStatus
from taskflow.server.api.options import ShortText, idempotency_key, instant_or_duration
from taskflow.server.api.packets import payload_of
from taskflow.server.api.runs.access import run_of, to_read_run, to_write_run
from taskflow.server.api.runs.metadata import MetadataBody, changes, replacement
from taskflow.server.api.runs.objects import Family, RunObject, compute_time, run_object
from taskflow.server.api.runs.schedules import schedules_of
from taskflow.server.api.tasks import request_key
from taskflow.server.api.wire import AnyJson, Number, Text, Wire
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.route import ApiRoute, public

_MOST_ANCESTORS: Final = 20
_MOST_CHILDREN: Final = 20
_TAKEN: Final = (
    *("queue", "concurrency_key", "ttl", "priority", "max_duration", "max_attempts", "machine"),
    *("tags", "metadata", "idempotency_key_ttl"),
)
"""Fields of a replay that are options of a trigger, unchanged."""


class RunId(Wire):
    """A run's id."""

    id: str


class ReplayBody(Wire):
    """A payload and options that the new run has instead of the old one's."""

    UNSUPPORTED = frozenset({"version", "region"})
    payload: AnyJson = None
    payload_type: Text | None = None
    queue: ShortText | None = None
    concurrency_key: ShortText | Number | None = None
    delay: ShortText | None = None
    ttl: ShortText | Number | None = None
    priority: Number | None = None
    max_duration: Number | None = None
    max_attempts: Annotated[int, Field(ge=1, strict=True)] | None = None
    machine: ShortText | None = None
    tags: Text | list[Text] | None = None
    metadata: dict[str, AnyJson] | None = None
    idempotency_key: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=2048)] | None = None
    idempotency_key_ttl: ShortText | None = Field(default=None, alias="idempotencyKeyTTL")


class DelayBody(Wire):
    """A duration from now, or an ISO 8601 instant."""

    delay: ShortText


class TagsBody(Wire):
    """One tag, or several."""

    tags: Text | list[Text]


class Message(Wire):
    """A sentence about what was done."""

    message: str


class MetadataObject(Wire):
    """A run's metadata."""

    metadata: AnyJson


class TaskRunError(Wire):
    """The error of a run, as the client makes an exception of it."""

    type: str = "BUILT_IN_ERROR"
    name: str
    message: str
    stack_trace: str


class Usage(Wire):
    """The compute time of a run."""

    duration_ms: int


class ResultObject(Wire):
    """The end of a run: its packed output, or its error."""

    ok: bool
    id: str
    task_identifier: str
    output: str | None = None
    output_type: str | None = None
    error: TaskRunError | None = None
    usage: Usage


async def retrieve(call: Call) -> RunObject:
    """Return a run with its relatives."""
    run = await run_of(call)
    schedules = await schedules_of(call, [run])
    return run_object(run, await _family(call, run), schedules.get(run.schedule_id or ""))


async def cancel(call: Call) -> RunId:
    """Cancel a run. One that has ended stays as it is."""
    run_id = call.path("run_id")
    call.note_run(run_id)
    try:
        await call.engine.runs.acancel(run_id)
    except RunNotFoundError:
        await call.engine.runs.astatus(run_id)  # the history may have it
    return RunId(id=run_id)


async def replay(call: Call) -> RunId:
    """Make a run like another one, with the given options instead."""
    run, body = await run_of(call), call.body(ReplayBody)
    given = {name: getattr(body, name) for name in _TAKEN if getattr(body, name) is not None}
    if body.delay is not None:
        given["delay"] = instant_or_duration("delay", body.delay)
    if body.idempotency_key is not None:
        given["idempotency_key"] = idempotency_key(body.idempotency_key)
    if isinstance(body.concurrency_key, float):
        given["concurrency_key"] = f"{body.concurrency_key:g}"
    has_payload = "payload" in body.model_fields_set
    payload = (await payload_of(call, body.payload, body.payload_type),) if has_payload else None
    seed = request_key(call, f"replay {run.id}")
    new = await call.engine.changes.replay(run, cast("TriggerKeywords", given), payload, seed=seed)
    return RunId(id=new)


async def reschedule(call: Call) -> RunObject:
    """Move the start of a delayed run."""
    run_id = call.path("run_id")
    due = check_due(instant_or_duration("delay", call.body(DelayBody).delay))
    await call.engine.runs.areschedule(run_id, due)
    return await retrieve(call)


async def add_tags(call: Call) -> Message:
    """Add tags to a run: all, or none when it would have more than ten."""
    run_id = call.path("run_id")
    call.note_run(run_id)
    added = await call.engine.changes.add_tags(run_id, check_tags(call.body(TagsBody).tags))
    return Message(message=f"Successfully set {added} new tags.")


async def read_metadata(call: Call) -> MetadataObject:
    """Return a run's metadata."""
    return MetadataObject(metadata=dict((await run_of(call)).metadata))


async def update_metadata(call: Call) -> MetadataObject:
    """Replace or change a run's metadata, and that of its parent and root."""
    run, body = await run_of(call), call.body(MetadataBody)
    own = [] if body.metadata is None else [replacement(body.metadata)]
    own += changes(body.operations)
    of_parent, of_root = changes(body.parent_operations), changes(body.root_operations)
    writer = request_key(call, "metadata") or uuid4().hex
    engine = call.engine.changes
    if of_parent:
        await engine.update_metadata(run.parent_id or run.id, of_parent, f"{writer} parent")
    if of_root:
        await engine.update_metadata(run.root_id or run.id, of_root, f"{writer} root")
    return MetadataObject(metadata=from_json(await engine.update_metadata(run.id, own, writer)))


async def result(call: Call) -> ResultObject:
    """Return the end of a run.

    Raises:
        Problem: 404: it has not ended.
    """
    run = await run_of(call)
    if not run.is_finished:
        raise Problem(404, "run_not_finished", f"Run {run.id} is {run.status}.", "Ask again later.", should_retry=False)
    return result_object(run)


def result_object(run: Run) -> ResultObject:
    """Return the end of a run that has ended."""
    is_ok = run.status is RunStatus.COMPLETED
    return ResultObject(
        ok=is_ok,
        id=run.id,
        task_identifier=run.task_id,
        output=to_json(run.output).decode() if is_ok else None,
        output_type="application/json" if is_ok else None,
        error=None if is_ok else _task_run_error(run.status, run.error),
        usage=Usage(duration_ms=round(compute_time(run).total_seconds() * 1000)),
    )


def _task_run_error(status: RunStatus, error: RunError | None) -> TaskRunError:
    error = error or RunError(status.value, f"The run ended {status}.")
    return TaskRunError(name=error.type, message=error.message, stack_trace=error.traceback)


async def _family(call: Call, run: Run) -> Family:
    ancestors: list[Run] = []
    parent_id = run.parent_id
    while parent_id and len(ancestors) < _MOST_ANCESTORS:
        try:
            parent = await call.engine.runs.aretrieve(parent_id)
        except RunNotFoundError:
            break
        ancestors.append(parent)
        parent_id = parent.parent_id
    return Family(ancestors, await _existing(call, list(run.children)[:_MOST_CHILDREN]))


async def _existing(call: Call, run_ids: Sequence[str]) -> list[Run]:
    found = await asyncio.gather(*map(call.engine.runs.aretrieve, run_ids), return_exceptions=True)
    return [run for run in found if isinstance(run, Run)]


_READ: Final = public("read", to_read_run)
_WRITE: Final = public("write", to_write_run)
_RUN: Final = "/api/v1/runs/{run_id}"
ROUTES: Final = (
    ApiRoute("GET", "/api/v3/runs/{run_id}", retrieve, "Return a run.", _READ, answer=RunObject),
    ApiRoute("POST", "/api/v2/runs/{run_id}/cancel", cancel, "Cancel a run.", _WRITE, answer=RunId),
    ApiRoute(
        "POST", f"{_RUN}/replay", replay, "Make a run like another one.", _WRITE, body=ReplayBody,
        is_body_optional=True, answer=RunId, statuses=(422,),
    ),
    ApiRoute(
        "POST", f"{_RUN}/reschedule", reschedule, "Move the start of a delayed run.", body=DelayBody, answer=RunObject,
        statuses=(422,),
    ),
    ApiRoute("POST", f"{_RUN}/tags", add_tags, "Add tags to a run.", body=TagsBody, answer=Message, statuses=(422,)),
    ApiRoute("GET", f"{_RUN}/metadata", read_metadata, "Return a run's metadata.", answer=MetadataObject),
    ApiRoute(
        "PUT", f"{_RUN}/metadata", update_metadata, "Change a run's metadata.", body=MetadataBody,
        answer=MetadataObject, statuses=(422,),
    ),
    ApiRoute("GET", f"{_RUN}/result", result, "Return the end of a run.", _READ, answer=ResultObject),
)  # fmt: skip
