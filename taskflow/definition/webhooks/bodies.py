"""The body of a delivery that was verified: JSON, or a form."""

import re
from typing import Any, Final, cast
from urllib.parse import parse_qsl

from pydantic_core import from_json

from taskflow.definition.documents.unserialisable import find_non_finite
from taskflow.definition.webhooks.request import FORM, WebhookRequest
from taskflow.errors import WebhookBodyError

MOST_FIELDS: Final = 10_000
MAY_OVERFLOW: Final = re.compile(rb"[0-9.][eE]\+?[0-9]{3}|[0-9]{309}")
"""Each number that is too large for a float. Looking for it costs a tenth of visiting every value."""


def read_body(request: WebhookRequest, form_field: str | None = None) -> object:
    """Return the body: JSON, or the fields of a form as texts (lists of texts where a field occurs several times).

    Args:
        form_field: The field that holds JSON when the source sends a form. A form without it is taken as it is.

    Raises:
        WebhookBodyError: It is not JSON that can be stored, or not a form.
    """
    if request.media_type != FORM:
        return read_json(request.body)
    form = read_form(request.body)
    document = form.get(form_field) if form_field else None
    return read_json(document.encode()) if isinstance(document, str) else form


def read_json(body: bytes) -> object:
    """Return the value of a JSON text. Of a key that occurs twice the last one counts.

    Raises:
        WebhookBodyError: It is not JSON, is nested too deeply, or has a number that JSON cannot carry.
    """
    try:
        value: object = from_json(body, allow_inf_nan=False)
        fault = find_non_finite(value) if MAY_OVERFLOW.search(body) else None  # 1e999 reads as infinity
    except (ValueError, RecursionError) as error:
        raise WebhookBodyError(f"the body is not JSON ({_position(error)})") from None
    if fault:
        raise WebhookBodyError(f"the body is not JSON: {fault}")
    return value


def read_form(body: bytes) -> dict[str, str | list[str]]:
    """Return the fields of a form.

    Raises:
        WebhookBodyError: It is not UTF-8, or has more than 10,000 fields.
    """
    try:
        text = body.decode()
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise WebhookBodyError("the body is not a form in UTF-8 with at most 10,000 fields") from None
    form: dict[str, str | list[str]] = {}
    for name, value in pairs:
        known = form.get(name)
        form[name] = value if known is None else [*([known] if isinstance(known, str) else known), value]
    return form


def field_of(body: object, path: str) -> object:
    """Return the value at a dotted path of JSON objects, None if there is none."""
    for name in path.split("."):
        if not isinstance(body, dict):
            return None
        body = cast("dict[str, Any]", body).get(name)
    return body


def _position(error: Exception) -> str:
    """Return where a JSON text ends to be one, without its content."""
    text = str(error)
    place = text.rpartition(" at line ")[2]
    return f"line {place}" if place != text else "it cannot be read"
