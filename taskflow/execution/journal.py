"""What a durable run has done, as its attempt knows it: no I/O. Written by the attempt before it goes on.

An entry is text: its state and kind, a tab, its name, a line break, its value. States: ``s`` a step, ``f`` one whose
failure the code went on from, ``v`` a value, ``o`` an open wait, ``w`` one whose source is known, ``r`` one that has
returned, ``z`` a short sleep.
"""

import hashlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, cast

from pydantic_core import from_json, to_json

from taskflow.definition.journaling import Journaling, Scope, StepCall, at_place
from taskflow.definition.signal import Signal
from taskflow.definition.waiting import Wait, WaitRequest
from taskflow.errors import AbortRun, JournalError, OutOfMemory, OutputError, RetryAfter, Suspended, TaskflowError
from taskflow.execution.step_failures import failure_json

State = Literal["s", "f", "v", "o", "w", "r", "z"]
LARGEST_ENTRY: Final = 512 * 1024
"""Bytes of JSON that a step may return."""
WAITS: Final = ("o", "w", "r", "z")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call is, for the comparison with the journal."""

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
                return f"durable.{self.name}()"
            case _:
                return f"a wait for {self.kind} {self.name!r}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One call that was made before."""

    state: State
    asked: Asked
    value: bytes

    @classmethod
    def read(cls, text: bytes) -> "Entry":
        """Return the entry of its stored form."""
        head, _, value = text.partition(b"\n")
        kind, _, name = head.decode().partition("\t")
        return cls(cast("State", kind[0]), Asked(kind[1:], name), value)

    def text(self) -> bytes:
        """Return the stored form."""
        return f"{self.state}{self.asked.kind}\t{self.asked.name}\n".encode() + self.value

    def wait(self) -> Wait | None:
        """Return what is waited for, where that is known."""
        if self.state not in ("w", "r"):
            return None
        told = from_json(self.value)
        until = told.pop("until", None)
        runs = tuple(told.pop("run_ids", ()))
        return Wait(**told, run_ids=runs, until=datetime.fromisoformat(until) if until else None)


def wait_entry(state: State, asked: Asked, wait: Wait | None = None) -> Entry:
    """Return the entry of a wait."""
    told = {} if wait is None else {name: value for name, value in asdict(wait).items() if value}
    return Entry(state, asked, to_json(told) if told else b"")


def asked_wait(request: WaitRequest) -> Asked:
    """Return what a wait is."""
    return Asked(request.kind or request.what.type, request.label.replace("\n", " "))


class Journal:
    """The entries of one run, with those that are still to be written.

    Args:
        entries, values: What is stored: the entries, and the items of waits that are done.
        suspend_after: How long a wait may last in memory.
    """

    def __init__(
        self,
        run_id: str,
        entries: Mapping[str, bytes],
        values: Mapping[str, Sequence[bytes]],
        suspend_after: timedelta,
    ) -> None:
        self.run_id = run_id
        self.values = dict(values)
        self.suspend_after = suspend_after
        self.is_suspended = False
        self._stored = entries
        self._changed: dict[str, Entry] = {}
        self._unwritten: dict[str, bytes] = {}
        self._failures: dict[str, dict[str, Entry]] = {}
        self._delays: dict[str, int] = {}
        for key in entries:
            self._count_delay(key)
        self._mismatch: JournalError | None = None

    def find(self, key: str, asked: Asked) -> Entry | None:
        """Return the entry of a call, None when it was not made before.

        Raises:
            Suspended: The code is being left.
            JournalError: The journal has another call there, or had at an earlier one.
        """
        self.check()
        entry = self.entry(key)
        if entry is not None and entry.asked != asked:
            self._mismatch = JournalError(
                f"The code of run {self.run_id} does not fit its journal: the journal has {entry.asked} at {key}, the "
                f"code asks for {asked}. Tasks made by another version of the code go on with that code's calls in "
                "their order: deploy changes of a durable task under a new task id, or replay the run."
            )
            raise self._mismatch
        if entry is None:  # what failed before in this task was caught: its code has gone on
            for failed, failure in self._failures.pop(_path(key), {}).items():
                self.note(failed, failure)
        return entry

    def failed(self, key: str, asked: Asked, error: Exception) -> None:
        """Take note of what a step has raised: kept once the code goes on from it."""
        if not isinstance(error, AbortRun | RetryAfter | OutOfMemory | TaskflowError):
            self._failures.setdefault(_path(key), {})[key] = Entry("f", asked, failure_json(error))

    def entry(self, key: str) -> Entry | None:
        """Return what is at a key."""
        found = self._changed.get(key)
        if found is None and (stored := self._stored.get(key)) is not None:
            found = Entry.read(stored)
        return found

    def note(self, key: str, entry: Entry) -> None:
        """Let an entry go with the next write."""
        self._changed[key] = entry
        self._count_delay(key)
        self._unwritten[key] = entry.text()

    def unwritten(self) -> dict[str, bytes]:
        """Take the entries that are still to be written."""
        found, self._unwritten = self._unwritten, {}
        return found

    def retried(self, key: str) -> int:
        """Return how often a step has failed that is not done, as far as its delays were journaled."""
        return self._delays.get(key, 0)

    def _count_delay(self, key: str) -> None:
        step, slash, number = key.partition("/")
        if slash:
            self._delays[step] = max(self._delays.get(step, 0), int(number))

    def value(self, scope: Scope, name: str, make: Callable[[bytes], object]) -> object:
        """Return the value that a call had the first time. Written before the next step or wait begins."""
        key, asked = scope.next_key(), Asked("value", name)
        entry = self.find(key, asked)
        if entry is None:
            seed = hashlib.sha256(f"{self.run_id}\n{key}".encode()).digest()
            entry = Entry("v", asked, to_json(make(seed)))
            self.note(key, entry)
        return from_json(entry.value)

    def check(self) -> None:
        """Refuse to go on.

        Raises:
            Suspended: The code is being left.
            JournalError: The journal did not fit, and the code went on.
        """
        if self.is_suspended:
            raise Suspended(self.run_id)
        if self._mismatch is not None:
            raise self._mismatch

    @contextmanager
    def around(self, journaling: Journaling, signal: Signal) -> Generator[None]:
        """Give the calls of the task's function their places, and see that it ends when it is left."""
        with at_place(Scope(journaling)):
            try:
                yield
            except BaseException as error:
                if _is_stop(error, signal):
                    raise
                if self.is_suspended and not isinstance(error, Suspended):
                    raise Suspended(self.run_id) from error
                raise
        self.check()


def step_entry(call: StepCall, value: object) -> Entry:
    """Return the entry of what a step has returned.

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
    return Entry("s", Asked("step", call.name), document)


def step_value(call: StepCall, entry: Entry) -> object:
    """Return what a step has returned.

    Raises:
        JournalError: It does not fit the function's return annotation any more.
    """
    try:
        return call.output.load(entry.value)
    except OutputError as error:
        raise JournalError(f"Step {call.name!r}: {error}") from error


def _path(key: str) -> str:
    return key.rpartition(".")[0]


def _is_stop(error: BaseException, signal: Signal) -> bool:
    """Whether the attempt is stopped, whatever else happens."""
    return isinstance(error, GeneratorExit | SystemExit | KeyboardInterrupt) or signal.is_set()
