"""Cursors and pages. A cursor is opaque to callers; it names a position and the instant of its issue."""

import base64
import binascii
import json
import time
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from taskflow.definition.calls.run_filter import RunPosition
from taskflow.server.api.wire import Wire
from taskflow.server.problems import Problem

DEFAULT_SIZE: Final = 20
MOST: Final = 100
_LARGEST: Final = (1 << 63) - 1


def _digits(value: object) -> object:
    """Refuse a size that is not plain digits, such as "1e1" or " 5"."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("Input should be a whole number")
    return value


Digits = Annotated[int, BeforeValidator(_digits)]
"""A number of a query: plain digits."""
PageSize = Annotated[Digits, Field(ge=1, le=MOST)]


class CursorPage(Wire):
    """The cursors of a page; one is left out where nothing follows on its side."""

    next: str | None = None
    previous: str | None = None


def position(after: str | None, before: str | None) -> RunPosition | None:
    """Return the position that a request asks for.

    The client sends the parameters of the pages before along with the new one, so that both may be there: the cursor
    that was issued last counts.

    Raises:
        Problem: 400: a cursor is not one of ours.
    """
    found = [_read(text, is_before=is_before) for text, is_before in ((after, False), (before, True)) if text]
    return max(found, key=lambda each: each[0])[1] if found else None


def cursor(at: RunPosition) -> str:
    """Return the cursor of a position."""
    document = json.dumps([time.time_ns(), at.created_ms, at.run_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


def _read(text: str, *, is_before: bool) -> tuple[int, RunPosition]:
    try:
        document = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        issued, created_ms, run_id = document
        if not (type(issued) is type(created_ms) is int and type(run_id) is str and abs(created_ms) <= _LARGEST):
            raise ValueError("not of these types")
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise Problem(
            400, "invalid_cursor", "The cursor is not one of this server's.", "Pass that of a page, unchanged."
        ) from None
    return issued, RunPosition(created_ms, run_id, is_before)
