"""The items of a batch, as lines of JSON that arrive one by one."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Final

from pydantic import Field
from starlette.requests import ClientDisconnect, Request

from taskflow.engine.serving.open_batches import OpenBatch, OpenItem
from taskflow.errors import PayloadError, TaskflowError
from taskflow.server.api.options import RunOptions, ShortText, idempotency_key, trigger_options
from taskflow.server.api.packets import payload_of
from taskflow.server.api.wire import AnyJson, Wire
from taskflow.server.bodies import parse_body
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.state import ServerState
from taskflow.server.unknown_fields import OFFICIAL

NDJSON: Final = "application/x-ndjson"


class BatchItemLine(Wire):
    """One item: its index from 0, its task, its packed payload and its options."""

    UNSUPPORTED = frozenset({"context"})
    index: Annotated[int, Field(ge=0, strict=True)]
    task: ShortText
    payload: AnyJson = None
    options: RunOptions = RunOptions()


class BatchItemBody(Wire):
    """One item of a batch that comes as a whole."""

    UNSUPPORTED = frozenset({"context"})
    task: ShortText
    payload: AnyJson = None
    options: RunOptions = RunOptions()


async def read_lines(request: Request, server: ServerState) -> AsyncIterator[tuple[int, BatchItemLine]]:
    """Yield the lines of a body with their numbers, as they arrive.

    Raises:
        Problem: 415 for another content type, 400 for a line that is no item, 413 for one that is too long or for too
            many, 408 when nothing came for ``server_body_timeout``.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != NDJSON:
        raise Problem(415, "unsupported_media_type", f"The items are lines of JSON: {NDJSON}.")
    number, most = 0, 2 * server.flow.settings.server_batch_limit
    async for line in _lines(request, server):
        number += 1
        if number > most:
            raise Problem(413, "body_too_large", f"The body has more than {most:,} lines.", "Send each item once.")
        if not line.strip():
            continue
        try:
            yield number, parse_body(BatchItemLine, line, is_strict=OFFICIAL not in request.headers)
        except Problem as wrong:
            raise Problem(400, wrong.code, f"Line {number}: {wrong.error}", wrong.remedy) from None


async def _lines(request: Request, server: ServerState) -> AsyncIterator[bytes]:
    most, seconds = server.flow.settings.server_body_limit, server.flow.settings.server_body_timeout.total_seconds()
    rest = b""
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(chunks, None)
        except TimeoutError:
            error = f"No further part of the body came within {seconds:g} s."
            raise Problem(408, "body_timeout", error, headers={"connection": "close"}) from None
        except ClientDisconnect:
            raise Problem(400, "disconnected", "The client hung up before its body was read.") from None
        if chunk is None:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > most or any(len(line) > most for line in lines):
            raise Problem(413, "body_too_large", f"An item has more than {most:,} bytes.", "Send its data elsewhere.")
        for line in lines:
            yield line
    if rest:
        yield rest


async def open_item(call: Call, line: BatchItemLine, batch: OpenBatch) -> OpenItem:
    """Return an item as the engine takes it. One whose options or payload can't be read becomes its error."""
    try:
        options = line.options
        if batch.key_text and options.idempotency_key is None:
            options = options.model_copy(update={"idempotency_key": item_key(batch.key_text, line.index)})
        checked = trigger_options(options)
        payload = await payload_of(call, line.payload, options.payload_type)
        return OpenItem(line.index, line.task, payload, checked)
    except Problem as wrong:
        return OpenItem(line.index, line.task, error=PayloadError(line.task, wrong.error))
    except TaskflowError as error:
        return OpenItem(line.index, line.task, error=error)


def item_key(batch_key: str, index: int) -> str:
    """Return the idempotency key that an item has by the key of its batch."""
    return hashlib.sha256(f"{batch_key}-{index}".encode(errors="replace")).hexdigest()


def batch_seed(environment: str, key: str) -> str:
    """Return the text from which the id of a batch with an idempotency key follows."""
    return f"http {environment} {idempotency_key(key).digest}"
