"""Bodies of requests, within a limit and a deadline, as models."""

import asyncio
import json
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from taskflow.definition.documents.unserialisable import find_non_finite
from taskflow.definition.webhooks.bodies import MAY_OVERFLOW
from taskflow.server.problems import Problem
from taskflow.server.state import ServerState
from taskflow.server.unknown_fields import check_names

ModelT = TypeVar("ModelT", bound=BaseModel)
_ERRORS_SHOWN: Final = 5


async def read_body(request: Request, server: ServerState, limit: int | None = None) -> bytes:
    """Return the body.

    Raises:
        Problem: 413 when it is larger than the limit, 408 when it does not come in time.
    """
    settings = server.flow.settings
    most = limit or settings.server_body_limit
    try:
        async with asyncio.timeout(settings.server_body_timeout.total_seconds()):
            return await _read(request, most)
    except TimeoutError:
        error = f"The body did not come within {settings.server_body_timeout.total_seconds():g} s."
        raise Problem(408, "body_timeout", error, headers={"connection": "close"}) from None
    except ClientDisconnect:
        raise Problem(400, "disconnected", "The client hung up before its body was read.") from None


async def _read(request: Request, most: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            remedy = "Send less, or raise TASKFLOW_SERVER_BODY_LIMIT. Store large data elsewhere and send its address."
            raise Problem(413, "body_too_large", f"The body has more than {most:,} bytes.", remedy)
        chunks.append(chunk)
    return b"".join(chunks)


def parse_body(model: type[ModelT], document: bytes, *, is_strict: bool = False) -> ModelT:
    """Return the body as a model. An empty body is the empty object.

    Args:
        is_strict: Refuse fields that the model does not have.

    Raises:
        Problem: 400 when it is not a JSON object, or a field has a wrong type.
    """
    try:
        value = json_value(document or b"{}")
    except ValueError as error:
        raise Problem(400, "invalid_json", f"The body is not JSON: {error}.", "Send a JSON object.") from None
    if not isinstance(value, dict):
        raise Problem(400, "invalid_json", "The body is not a JSON object.", "Send a JSON object.")
    if is_strict:
        check_names(model, value, "invalid_body")  # pyright: ignore[reportUnknownArgumentType]
    return validated(model, value, "invalid_body")  # pyright: ignore[reportUnknownArgumentType]


def json_value(document: bytes) -> object:
    """Return the value of a JSON text.

    Raises:
        ValueError: It is not JSON, or has a number that would be read as infinity and written as null.
    """
    value: object = from_json(document, allow_inf_nan=False)
    if MAY_OVERFLOW.search(document) and (fault := find_non_finite(value)):
        raise ValueError(fault)
    return value


def validated(model: type[ModelT], value: object, code: str) -> ModelT:
    """Return a value as a model. The refusal names the fields, never their values.

    Raises:
        Problem: 400 with this code.
    """
    try:
        return model.model_validate(value)
    except ValidationError as invalid:
        raise Problem(400, code, explained(invalid)) from None


def explained(invalid: ValidationError) -> str:
    """Return which fields are wrong, and why, without their values."""
    found = invalid.errors(include_url=False, include_input=False, include_context=False)
    texts = [f"{'.'.join(map(str, error['loc'])) or 'it'}: {error['msg']}" for error in found[:_ERRORS_SHOWN]]
    return "; ".join(texts) + (f"; and {len(found) - _ERRORS_SHOWN} more" if len(found) > _ERRORS_SHOWN else "")


def is_json(text: str) -> bool:
    """Whether a text is JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
