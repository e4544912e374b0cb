"""A journal that does not fit the code: which code made it, which refuses it, and the words for people."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from pydantic_core import to_json

from taskflow.errors import Suspended
from taskflow.seams.journal_entries import JournalEntry
from taskflow.texts import cut

CODE_KEY: Final = "@code"
"""The key in a journal under which the code stands that wrote it last."""
_NAMED: Final = 5
_DIGITS: Final = 8
_SHOWN_CHARS: Final = 500
_KEPT: Final = 100
"""Most calls in a run's record that a plain replay would repeat."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code of a task: its version, "" if unknown, and a digest of its source file."""

    version: str = ""
    digest: str = ""

    @classmethod
    def read(cls, stored: bytes) -> "Code":
        """Parse the stored form."""
        version, _, digest = stored.decode().removeprefix("@").rpartition(" ")
        return cls(version, digest)

    def text(self) -> str:
        """Return the stored form. It begins with "@", as no entry of a journal does."""
        return f"@{self.version} {self.digest}"

    def shown(self, other: "Code") -> str:
        """Return its name for people: the version where that tells it from the other code."""
        if self.version and self.version != other.version:
            return f"version {self.version}"
        return f"{f'version {self.version}' if self.version else 'no version'} (source {self.digest})"


UNKNOWN: Final = Code()


@cache
def source_digest(source: str) -> str:
    """Return a digest of a source file as it was when this process, or the one that forked it, first asked."""
    try:
        return hashlib.sha256(Path(source).read_bytes()).hexdigest()[:_DIGITS]
    except (OSError, ValueError):
        return ""


class OtherVersion(Suspended):
    """Ends the code of a durable run whose journal another version of the code has made. The run waits for that one.

    Attributes:
        made_by, refused_by: The code that made the journal, and the code that does not fit it.
        key: The place of the first call that does not fit.
        repeated: The calls that a plain replay would repeat.
    """

    def __init__(
        self, run_id: str, made_by: Code, refused_by: Code, key: str, what: str, repeated: tuple[str, ...]
    ) -> None:
        super().__init__(run_id)
        self.made_by, self.refused_by, self.key, self.repeated = made_by, refused_by, key, repeated
        mine, own = refused_by.shown(made_by), made_by.shown(refused_by)
        repeats = f" A plain replay repeats {_named(repeated)}." if repeated else ""
        misfit = f"Its journal was made by {own} and does not fit {mine}: {cut(what, _SHOWN_CHARS)}."
        resume = f"taskflow runs resume {run_id} --from {key}"
        self.text = f"{misfit} It goes on when a worker of {own} is up, or from that call on with: {resume}.{repeats}"
        self.args = (f"Run {run_id} waits for its own version. {self.text}",)

    def record(self) -> str:
        """Return the facts as JSON, for the run's record."""
        facts: Mapping[str, object] = {
            "text": self.text,
            "version": self.made_by.version or None,
            "refused_by": self.refused_by.version or None,
            "key": self.key,
            "repeated": [cut(call, _SHOWN_CHARS) for call in self.repeated[:_KEPT]],
        }
        return to_json(facts).decode()


def repeated_calls(entries: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the steps, and the runs that were waited for, that a journal has."""
    known = [JournalEntry.read(entry) for key, entry in entries.items() if not key.startswith("@")]
    return tuple(str(entry.asked) for entry in known if entry.asked.kind in ("step", "task", "batch"))


def _named(calls: tuple[str, ...]) -> str:
    more = f" and {len(calls) - _NAMED} more" if len(calls) > _NAMED else ""
    return f"{', '.join(cut(call, _SHOWN_CHARS) for call in calls[:_NAMED])}{more}"
