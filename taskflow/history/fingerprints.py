"""Group errors: the same type, message (without its numbers, ids and quotes) and innermost frame of the user's code.

No I/O. Lines are left out of the fingerprint, because they move with each edit of a file.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from taskflow.models import RunError

_FRAME: Final = re.compile(
    r'^\s*File "(?P<file>[^"\n]{1,500})", line (?P<line>\d+), in (?P<name>\S{1,200})', re.MULTILINE
)
_FOREIGN: Final = re.compile(r"(^<|[\\/](site-packages|dist-packages|lib[\\/]python3[^\\/]*)[\\/])")
"""Files that are not the user's own: those of installed packages, of Python, and code without a file."""
_QUOTED: Final = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`")
_NAMED: Final = re.compile(r"\S*\d\S*")
"""Words with a digit: numbers, ids, times, addresses."""
_SHOWN_PARTS: Final = 3
_COMPARED: Final = 300
_SEARCHED: Final = 200_000
MESSAGE: Final = 500
"""The number of characters of a group's message that are kept."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The group of an error.

    Attributes:
        id: 16 hexadecimal digits.
        message: The error's own, its first line, cut.
        frame: ``"shop/carriers/dhl.py:44 in quote"``, "" without a traceback.
    """

    id: str
    type: str
    message: str
    frame: str


def fingerprint_of(error: RunError) -> Fingerprint:
    """Return the group of an error."""
    frame = _innermost(error.traceback)
    place = re.sub(r":\d+ in ", " in ", frame)
    told = "\0".join((error.type, _normal(error.message), place)).encode(errors="replace")
    first_line = error.message.strip().partition("\n")[0]
    return Fingerprint(hashlib.sha256(told).hexdigest()[:16], error.type, first_line[:MESSAGE], frame)


def _normal(message: str) -> str:
    """Return a message without what differs from run to run."""
    text = _NAMED.sub("#", _QUOTED.sub("''", message[:_COMPARED]))
    return " ".join(text.split())


def _innermost(traceback: str) -> str:
    """Return the last frame of the user's own code, else the last frame, shortened; "" without frames."""
    frames = list(_FRAME.finditer(traceback[-_SEARCHED:]))
    own = [frame for frame in frames if not _FOREIGN.search(frame["file"])]
    if not frames:
        return ""
    chosen = (own or frames)[-1]
    parts = re.split(r"[\\/]", chosen["file"])[-_SHOWN_PARTS:]
    return f"{'/'.join(part for part in parts if part)}:{chosen['line']} in {chosen['name']}"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt, or (``is_run``) the end of a run by an error."""

    fingerprint: Fingerprint
    at_ms: int
    task_id: str
    version: str
    is_run: bool = False
