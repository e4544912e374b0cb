"""Refusals of the server as errors: those that the verb raises on the store, or one of the client's own."""

from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_core import from_json

from taskflow.definition.documents.adapter import explain
from taskflow.errors import (
    ApiAddressError,
    ApiError,
    KeyRefusedError,
    ServerUnavailableError,
    StoreUnavailableError,
    TaskflowError,
)
from taskflow.http_client.transport.api_request import ApiAnswer, ApiRequest
from taskflow.http_client.transport.server_events import ServerEvent
from taskflow.seams.error_documents import error_of

ERROR_FIELD: Final = "taskflow"
"""The field of a refusal, and of answers, that holds what only a client of taskflow's own reads."""


def refusal(request: ApiRequest[Any], answer: ApiAnswer, url: str) -> TaskflowError:
    """Return the error that an answer without success is."""
    body = _body(answer)
    if body is None or body.get("code") == "not_supported":
        return _no_api(request, answer, url, body)
    code, text = str(body.get("code", "refused")), _text(body)
    if answer.status in (401, 403):
        return KeyRefusedError(answer.status, code, text, url)
    error = error_of(body.get(ERROR_FIELD), str(body["error"]))
    if type(error) is StoreUnavailableError:
        return ServerUnavailableError(url, f"its run store does not answer: {error.reason}", status=answer.status)
    if error is not None:
        return error
    if answer.status in (408, 425, 429) or answer.status >= 500:
        return ServerUnavailableError(url, f"it answers {answer.status} {code}: {text}", status=answer.status)
    return ApiError(answer.status, code, text)


def check_event(event: ServerEvent) -> None:
    """Raise the error with which the server has ended a stream.

    Raises:
        TaskflowError: The event is such an error.
    """
    if event.kind != "error":
        return
    body = cast("dict[str, Any]", from_json(event.data))
    raise error_of(body.get(ERROR_FIELD), str(body["error"])) or ApiError(200, str(body.get("code", "")), _text(body))


def misread(request: ApiRequest[Any], answer: ApiAnswer, url: str, error: Exception) -> ApiAddressError:
    """Return the error of a success that is not taskflow's."""
    if not _is_json(answer):
        return ApiAddressError(url, f"it answers {request.method} {request.path} with something else than JSON")
    what = explain(error) if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
    return ApiAddressError(url, f"its answer to {request.method} {request.path} is not understood ({what})")


def _no_api(request: ApiRequest[Any], answer: ApiAnswer, url: str, body: dict[str, Any] | None) -> TaskflowError:
    if body is None and answer.status in (502, 503, 504):  # a proxy, whose server is away
        return ServerUnavailableError(url, f"a proxy answers {answer.status}", status=answer.status)
    where = f"; it redirects to {answer.headers['location']}" if "location" in answer.headers else ""
    return ApiAddressError(url, f"it answers {answer.status} to {request.method} {request.path}{where}")


def _body(answer: ApiAnswer) -> dict[str, Any] | None:
    """Return the body of a refusal of taskflow's, None of another one."""
    try:
        document = answer.document()
    except ValueError:
        return None
    return cast("dict[str, Any]", document) if isinstance(document, dict) and "error" in document else None


def _text(body: dict[str, Any]) -> str:
    return " ".join(str(body[name]) for name in ("error", "remedy") if body.get(name))


def _is_json(answer: ApiAnswer) -> bool:
    return "json" in answer.headers.get("content-type", "")
