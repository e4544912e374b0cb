"""Cursors of pages on the wire. No I/O.

The client keeps the cursors that it was given, and sends an older one together with the newest. Each cursor therefore
says when it was issued, and of two the later one counts.
"""

import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, NamedTuple

from taskflow.server.problems import Problem

_FORM: Final = re.compile(r"([0-9]{1,20}) (.{1,500})", re.DOTALL)


class PagePosition(NamedTuple):
    """A position in a list: the items before or behind it are wanted. Without one the list begins."""

    cursor: str | None = None
    is_before: bool = False


def issued(cursor: str) -> str:
    """Return a cursor as it is sent."""
    return urlsafe_b64encode(f"{time.time_ns()} {cursor}".encode()).decode().rstrip("=")


def page_position(after: str | None, before: str | None) -> PagePosition:
    """Return the position that a request names.

    Raises:
        Problem: 400: a cursor that this server did not issue.
    """
    behind, ahead = _read(after), _read(before)
    if ahead is not None and (behind is None or ahead[0] > behind[0]):
        return PagePosition(ahead[1], is_before=True)
    return PagePosition(behind[1] if behind else None)


def _read(given: str | None) -> tuple[int, str] | None:
    if not given:
        return None
    try:
        form = _FORM.fullmatch(urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode())
    except ValueError:
        form = None
    if form is None:
        raise Problem(400, "invalid_cursor", "The cursor is not one of this server.", "Send pagination.next as it is.")
    return int(form[1]), form[2]
