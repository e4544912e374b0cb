"""Batches for the Python client: one request of many lines, the first with the options of the batch."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from taskflow.definition.calls.batch_item import MOST_ITEMS, BatchItem, BatchOptions
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.errors import BatchNotFoundError
from taskflow.seams.batches import RefusedItem
from taskflow.seams.record_documents import record_document
from taskflow.server.api.options import KeyOptions, RunOptions, idempotency_key, trigger_options
from taskflow.server.api.records.documents import answer, answer_record, duration_of, id_of
from taskflow.server.api.records.runs import PREFIX
from taskflow.server.api.tasks import request_key
from taskflow.server.bodies import explained, json_value, read_body
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.route import ApiRoute
from taskflow.texts import is_encodable

ModelT = TypeVar("ModelT", bound=BaseModel)
_NO_OPTIONS: Final = RunOptions()
_MOST_BYTES: Final = 64 * 1024 * 1024


class Head(BaseModel):
    """The options of a batch. ``task``: that of all items, None for a mixed one."""

    task: str | None = None
    atomic: bool = False
    key: Annotated[str | None, Field(alias="idempotencyKey")] = None
    key_options: Annotated[KeyOptions | None, Field(alias="idempotencyKeyOptions")] = None
    key_ttl: Annotated[float | None, Field(alias="idempotencyKeyTTL")] = None

    def options(self) -> BatchOptions:
        """Return the options as the engine takes them."""
        return BatchOptions(
            self.atomic,
            idempotency_key(self.key, self.key_options) if self.key else None,
            duration_of("idempotency_key_ttl", self.key_ttl),
        )


class LineError(BaseModel):
    """The error for which the client has refused an item."""

    type: Annotated[str, Field(max_length=200)]
    message: Annotated[str, Field(max_length=2000)]


class Line(BaseModel):
    """One item, or the error of one that was refused."""

    task: str
    payload: Any = None
    options: RunOptions = RunOptions()
    error: LineError | None = None

    def item(self, *, is_mixed: bool) -> object:
        """Return the item as the engine takes it."""
        if self.error:
            return RefusedItem(self.task, self.error.type, self.error.message)
        item = _WireItem(self.payload, wire=self.options)
        return (self.task, item) if is_mixed else item


@dataclass(frozen=True, slots=True)
class _WireItem(BatchItem[object]):
    """An item whose options came over the wire. They are checked when its turn comes, so that others go on."""

    wire: RunOptions = _NO_OPTIONS

    def options(self) -> TriggerOptions:
        """Return the options, checked."""
        return trigger_options(self.wire)


async def trigger(call: Call) -> Response:
    """Make a run of each line."""
    head, lines = _parsed(await read_body(call.request, call.server, _MOST_BYTES))
    items = [line.item(is_mixed=head.task is None) for line in lines]
    runs = await call.engine.batches.atrigger(head.task, items, head.options(), seed=request_key(call, "batch"))
    errors = [record_document(error) for error in runs.errors]
    return answer(id=runs.batch_id, run_ids=list(runs.run_ids), errors=errors)


async def retrieve(call: Call) -> Response:
    """Return a batch's record."""
    batch_id = id_of(call, "batch_id")
    if not is_encodable(batch_id):
        raise BatchNotFoundError(batch_id)
    return answer_record(record_document(await call.engine.batches.aretrieve(batch_id)))


def _parsed(body: bytes) -> tuple[Head, list[Line]]:
    head, *lines = body.split(b"\n")
    if len(lines) > MOST_ITEMS:
        raise Problem(413, "batch_too_large", f"A batch has at most {MOST_ITEMS:,} items.", "Send several.")
    return _line(Head, 1, head), [_line(Line, number, line) for number, line in enumerate(lines, 2)]


def _line(model: type[ModelT], number: int, line: bytes) -> ModelT:
    try:
        return model.model_validate(json_value(line))
    except ValidationError as invalid:
        raise Problem(400, "invalid_body", f"Line {number}: {explained(invalid)}") from None
    except ValueError as error:
        raise Problem(400, "invalid_json", f"Line {number} is not JSON: {error}.") from None


ROUTES: Final = (
    ApiRoute("POST", f"{PREFIX}/batches", trigger, "Make a run of each line.", is_hidden=True),
    ApiRoute("GET", f"{PREFIX}/batches/{{batch_id}}", retrieve, "Return a batch's record.", is_hidden=True),
)
