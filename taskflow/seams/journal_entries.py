"""Entries of a durable run's journal, and their text.

An entry is text: its state and kind, a tab, its name, a tab, its times, a line break, its value. The times are those of
its beginning and, behind "-", of its end, in ms by the clock of the worker. States: ``s`` a step, ``f`` one whose
failure the code went on from, ``v`` a value, ``o`` an open wait, ``w`` one whose source is known, ``r`` one that has
returned, ``z`` a short sleep.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, cast

from pydantic_core import from_json, to_json

from taskflow.errors import JournalError, OutputError
from taskflow.models import RunStep
from taskflow.seams.journal_keys import StepCall
from taskflow.seams.waits import Wait, WaitRequest

State = Literal["s", "f", "v", "o", "w", "r", "z"]
_SHOWN: Final[dict[State, str]] = {
    "s": "done", "f": "failed", "v": "done", "o": "waiting", "w": "waiting", "r": "done", "z": "done",
}  # fmt: skip
SALT_KEY: Final = "@salt"
"""The key in a journal of what ids and random values of calls derive from besides their places: the run has gone on
from an earlier place, and the call that stands there now is not the one that stood there before."""
LARGEST_ENTRY: Final = 512 * 1024
"""Most bytes of JSON that a step may return."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The identity of a call, for the comparison with the journal."""

    kind: str
    name: str

    def __str__(self) -> str:
        match self.kind:
            case "step" | "retry":
                return f"{'the delay of ' if self.kind == 'retry' else ''}step {self.name!r}"
            case "task" | "batch":
                return f"{'batch_' if self.kind == 'batch' else ''}trigger_and_wait of {self.name!r}"
            case "duration":
                return self.name
            case "value":
                return f"{self.name}()"
            case _:
                return f"a wait for {self.kind} {self.name!r}"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One call that was made before."""

    state: State
    asked: Asked
    value: bytes
    began: int | None = None
    ended: int | None = None

    @classmethod
    def read(cls, text: bytes) -> "JournalEntry":
        """Parse the stored form of an entry."""
        head, _, value = text.partition(b"\n")
        kind, name, times, *_ = (*head.decode().split("\t"), "", "")
        began, _, ended = times.partition("-")
        asked = Asked(kind[1:], name)
        return cls(cast("State", kind[0]), asked, value, int(began) if began else None, int(ended) if ended else None)

    def text(self) -> bytes:
        """Return the stored form."""
        times = "" if self.began is None else f"\t{self.began}-{self.ended or ''}"
        return f"{self.state}{self.asked.kind}\t{self.asked.name}{times}\n".encode() + self.value

    def shown(self, key: str) -> RunStep:
        """Return the call as people see it."""
        began = None if self.began is None else datetime.fromtimestamp(self.began / 1000, UTC)
        took = None if self.began is None or self.ended is None else timedelta(milliseconds=self.ended - self.began)
        return RunStep(key, self.asked.kind, self.asked.name, _SHOWN[self.state], began, took)

    def wait(self) -> Wait | None:
        """Return what the run waits for, None when it is not known."""
        if self.state not in ("w", "r"):
            return None
        document = from_json(self.value)
        until = document.pop("until", None)
        runs = tuple(document.pop("run_ids", ()))
        return Wait(**document, run_ids=runs, until=datetime.fromisoformat(until) if until else None)


def wait_entry(state: State, asked: Asked, wait: Wait | None = None) -> JournalEntry:
    """Return the entry of a wait."""
    document = {} if wait is None else {name: value for name, value in asdict(wait).items() if value}
    return JournalEntry(state, asked, to_json(document) if document else b"")


def asked_wait(request: WaitRequest) -> Asked:
    """Return the identity of a wait."""
    return Asked(request.kind or request.what.type, request.label.replace("\n", " ").replace("\t", " "))


def step_entry(call: StepCall, value: object) -> JournalEntry:
    """Return the entry of a step's result.

    Raises:
        JournalError: It is not JSON, or too large.
    """
    try:
        document = call.output.dump(value)
    except OutputError as error:
        raise JournalError(f"The result of step {call.name!r} can't be kept: {error}") from error
    if len(document) > LARGEST_ENTRY:
        raise JournalError(
            f"The result of step {call.name!r} is {len(document):,} bytes of JSON and the limit is {LARGEST_ENTRY:,}. "
            "Store the data elsewhere and return its address."
        )
    return JournalEntry("s", Asked("step", call.name), document)


def step_value(call: StepCall, entry: JournalEntry) -> object:
    """Return the result of a step from its entry.

    Raises:
        JournalError: It does not fit the function's return annotation any more.
    """
    try:
        return call.output.load(entry.value)
    except OutputError as error:
        raise JournalError(f"Step {call.name!r}: {error}") from error
