"""Batches: announced in one request, their items sent as lines of JSON in the next."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from taskflow.definition.calls.idempotency import LONGEST_KEY
from taskflow.engine.serving.open_batches import OpenBatch, OpenItem
from taskflow.models import Batch
from taskflow.server.api.batches.items import NDJSON, BatchItemBody, BatchItemLine, batch_seed, open_item, read_lines
from taskflow.server.api.options import KeyOptions, ShortText
from taskflow.server.api.runs.verbs import ResultObject, result_object
from taskflow.server.api.tasks import request_key
from taskflow.server.api.wire import Instant, Wire
from taskflow.server.auth import PublicToken, unauthorized
from taskflow.server.call import Answer, Call
from taskflow.server.problems import Problem, code_of
from taskflow.server.public_tokens import one_use, token_headers
from taskflow.server.route import ApiRoute, public
from taskflow.server.scopes import Groups, missing

_ITEMS_A_WRITE: Final = 200
_BYTES_A_WRITE: Final = 1 << 20
_TRIGGER: Final = "batchTrigger"
_CLIENT: Final = "x-trigger-client"


class NewBatchBody(Wire):
    """The announcement of a batch."""

    UNSUPPORTED = frozenset({"parentRunId", "resumeParentOnCompletion"})
    run_count: Annotated[int, Field(strict=True)]
    task_identifiers: list[ShortText] | None = None
    idempotency_key: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_KEY)] | None = None
    idempotency_key_options: KeyOptions | None = None


class NewBatch(Wire):
    """A batch. ``isCached``: all its items are there, so that none has to be sent."""

    id: str
    run_count: int
    is_cached: bool
    idempotency_key: str | None = None


class SentItems(Wire):
    """The state of a batch after items came. One that is not sealed lacks some."""

    id: str
    items_accepted: int
    items_deduplicated: int
    sealed: bool
    enqueued_count: int | None = None
    expected_count: int | None = None


class ItemErrorObject(Wire):
    """The error of an item that did not become a run."""

    index: int
    task_identifier: str
    error: str
    error_code: str


class ProcessingObject(Wire):
    """The making of a batch's runs."""

    completed_at: Instant | None = None
    errors: list[ItemErrorObject]


class BatchObject(Wire):
    """A batch."""

    id: str
    status: str
    idempotency_key: str | None = None
    created_at: Instant
    updated_at: Instant
    run_count: int
    runs: list[str]
    processing: ProcessingObject


class WholeBatchBody(Wire):
    """A batch with its items."""

    items: list[BatchItemBody]


class WholeBatch(Wire):
    """A batch that was made by one request."""

    id: str
    run_count: int


class BatchResults(Wire):
    """The ends of a batch's runs that have ended."""

    id: str
    items: list[ResultObject]


async def announce(call: Call) -> Answer:
    """Make a batch whose items come in the next request. Safe to repeat."""
    body = call.body(NewBatchBody)
    _check_count(call, body.run_count)
    key, shown = body.idempotency_key or "", ""
    seed = request_key(call, "batch") or ""
    if key:
        seed = batch_seed(call.flow.settings.environment, key)
        shown = (body.idempotency_key_options and body.idempotency_key_options.text) or key
    async with one_use(call):
        batch = await call.engine.open_batches.announce(seed, body.run_count, shown, key)
        if batch.expected != body.run_count:
            error = f"Batch {batch.id} has this idempotency key and {batch.expected:,} items, not {body.run_count:,}."
            raise Problem(422, "idempotency_key_in_use", error, "Use another key for another batch.")
    call.request.state.run_id = batch.id
    new = NewBatch(id=batch.id, run_count=batch.expected, is_cached=batch.is_sealed, idempotency_key=key or None)
    return Answer(new, token_headers(call, _token_scopes(call, batch.id)))


async def send_items(call: Call) -> SentItems:
    """Make runs of the items. Those that are there already are counted, and made no second time."""
    batch_id = call.path("batch_id")
    call.request.state.run_id = batch_id
    may_write = _may_write(call, batch_id)
    batch = await call.engine.open_batches.read(batch_id) if may_write else None
    known: set[int] = set()
    accepted = deduplicated = 0
    async for lines in _parts(call, may_write=may_write):
        batch = batch or await call.engine.open_batches.read(batch_id)
        known |= batch.known
        new = _new_items(lines, batch, known)
        deduplicated += len(lines) - len(new)
        if not batch.is_sealed and new:
            await call.engine.open_batches.write(batch_id, [await open_item(call, line, batch) for line in new])
            accepted += len(new)
    batch = batch or await call.engine.open_batches.read(batch_id)
    return await _closed(call, batch, len(known | batch.known), accepted, deduplicated)


async def trigger_whole(call: Call) -> Answer:
    """Make a batch and its runs by one request."""
    items = call.body(WholeBatchBody).items
    _check_count(call, len(items))
    batch = await call.engine.open_batches.announce(request_key(call, "whole batch") or "", len(items))
    batch = await call.engine.open_batches.read(batch.id)
    if not batch.is_sealed:
        lines = [
            BatchItemLine(index=index, task=item.task, payload=item.payload, options=item.options)
            for index, item in enumerate(items)
        ]
        new: list[OpenItem] = [await open_item(call, line, batch) for line in lines if line.index not in batch.known]
        for start in range(0, len(new), _ITEMS_A_WRITE):
            await call.engine.open_batches.write(batch.id, new[start : start + _ITEMS_A_WRITE])
        await call.engine.open_batches.seal(batch)
    call.request.state.run_id = batch.id
    whole = WholeBatch(id=batch.id, run_count=len(items))
    return Answer(whole, token_headers(call, _token_scopes(call, batch.id)))


async def retrieve(call: Call) -> BatchObject:
    """Return a batch."""
    return batch_object(await call.engine.batches.aretrieve(call.path("batch_id")))


async def results(call: Call) -> BatchResults:
    """Return the ends of a batch's runs that have ended."""
    batch = await call.engine.batches.aretrieve(call.path("batch_id"))
    runs = await call.engine.open_batches.runs(list(dict.fromkeys(batch.run_ids)))
    return BatchResults(id=batch.id, items=[result_object(run) for run in runs if run.is_finished])


def batch_object(batch: Batch) -> BatchObject:
    """Return a batch on the wire."""
    errors = [
        ItemErrorObject(
            index=error.index, task_identifier=error.task_id, error=error.message, error_code=code_of(error.type)
        )
        for error in batch.errors
    ]
    updated = batch.updated_at or batch.created_at
    is_made = batch.status != "PENDING"
    return BatchObject(
        id=batch.id,
        status=batch.status.value,
        idempotency_key=batch.idempotency_key,
        created_at=batch.created_at,
        updated_at=updated,
        run_count=batch.item_count,
        runs=list(batch.run_ids),
        processing=ProcessingObject(completed_at=updated if is_made else None, errors=errors),
    )


async def _parts(call: Call, *, may_write: bool) -> AsyncIterator[list[BatchItemLine]]:
    """Yield the items in parts of one write. Each one is checked against the token as it comes."""
    lines: list[BatchItemLine] = []
    size = 0
    async for _, line in read_lines(call.request, call.server):
        if not may_write:
            _check_item(call, line)
        lines.append(line)
        size += len(line.payload) if isinstance(line.payload, str) else 0
        if len(lines) >= _ITEMS_A_WRITE or size >= _BYTES_A_WRITE:
            yield lines
            lines, size = [], 0
    if lines:
        yield lines


def _new_items(lines: Sequence[BatchItemLine], batch: OpenBatch, known: set[int]) -> list[BatchItemLine]:
    """Return the items that are not there yet, and add them to those that are.

    Raises:
        Problem: 400: an index is not one of this batch.
    """
    new: list[BatchItemLine] = []
    for line in lines:
        if line.index >= batch.expected:
            error = f"Index {line.index} is not one of batch {batch.id}, which has {batch.expected:,} items."
            raise Problem(400, "invalid_index", error, "Indexes begin at 0.")
        if line.index not in known:
            known.add(line.index)
            new.append(line)
    return new


async def _closed(call: Call, batch: OpenBatch, count: int, accepted: int, deduplicated: int) -> SentItems:
    is_whole = batch.is_sealed or count == batch.expected
    if is_whole and not batch.is_sealed:
        await call.engine.open_batches.seal(batch)
    return SentItems(
        id=batch.id,
        items_accepted=accepted,
        items_deduplicated=deduplicated,
        sealed=is_whole,
        enqueued_count=None if is_whole else count,
        expected_count=None if is_whole else batch.expected,
    )


def _check_count(call: Call, count: int) -> None:
    most = call.flow.settings.server_batch_limit
    if not 1 <= count <= most:
        error = f"A batch has 1 to {most:,} items, not {count:,}."
        raise Problem(422, "invalid_count", error, "Send several batches, or raise TASKFLOW_SERVER_BATCH_LIMIT.")


def _token_scopes(call: Call, batch_id: str) -> Sequence[str]:
    """Return the scopes of the token that an answer hands out: a page also sends the items with it."""
    scopes = [f"read:batch:{batch_id}"]
    return [*scopes, f"write:batch:{batch_id}"] if call.request.headers.get(_CLIENT) == "browser" else scopes


def _may_write(call: Call, batch_id: str) -> bool:
    """Whether the caller may write the batch whatever its items are."""
    caller = call.caller
    return not isinstance(caller, PublicToken) or missing(caller.scopes, "write", [[f"batch:{batch_id}"]]) is None


def _check_item(call: Call, line: BatchItemLine) -> None:
    lacking = isinstance(call.caller, PublicToken) and missing(call.caller.scopes, _TRIGGER, [[f"tasks:{line.task}"]])
    if lacking:
        raise unauthorized(_TRIGGER, lacking)


async def _to_announce(call: Call) -> Groups:
    tasks = call.body(NewBatchBody).task_identifiers or []
    return [[f"tasks:{task}", "batch"] for task in dict.fromkeys(tasks)] or [["batch", "tasks"]]


async def _to_send(call: Call) -> Groups:
    return [[f"batch:{call.path('batch_id')}"]]


async def _to_read(call: Call) -> Groups:
    return [[f"batch:{call.path('batch_id')}", "runs"]]


_BATCH: Final = "/api/v3/batches"
_READ: Final = public("read", _to_read)
ROUTES: Final = (
    ApiRoute(
        "POST", _BATCH, announce, "Announce a batch.", public(_TRIGGER, _to_announce), body=NewBatchBody,
        answer=NewBatch, status=202, statuses=(422,),
    ),
    ApiRoute(
        "POST", f"{_BATCH}/{{batch_id}}/items", send_items, "Send items of a batch.",
        public("write", _to_send, others=(_TRIGGER,)), body=BatchItemLine, body_type=NDJSON, answer=SentItems,
        statuses=(415,),
    ),
    ApiRoute(
        "POST", "/api/v2/tasks/batch", trigger_whole, "Make a batch by one request.", body=WholeBatchBody,
        answer=WholeBatch, status=202, statuses=(422,),
    ),
    ApiRoute("GET", "/api/v2/batches/{batch_id}", retrieve, "Return a batch.", _READ, answer=BatchObject),
    ApiRoute("GET", "/api/v1/batches/{batch_id}", retrieve, "Return a batch.", _READ, answer=BatchObject),
    ApiRoute(
        "GET", "/api/v1/batches/{batch_id}/results", results, "Return the ends of a batch's runs.", _READ,
        answer=BatchResults,
    ),
)  # fmt: skip
