"""The journal of a durable run in memory: the calls that its code has made. No I/O: the attempt writes the entries."""

import hashlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from pydantic_core import from_json, to_json

from taskflow.definition.signal import Signal
from taskflow.errors import AbortRun, JournalError, OutOfMemory, RetryAfter, Suspended, TaskflowError
from taskflow.errors.base import is_kind
from taskflow.execution.misfit import CODE_KEY, UNKNOWN, Code, OtherVersion, repeated_calls
from taskflow.execution.step_failures import failure_json
from taskflow.seams.journal_entries import SALT_KEY, Asked, JournalEntry
from taskflow.seams.journal_keys import Journaling, Scope, in_scope


class Journal:
    """The entries of one run, with those that are still to be written.

    Args:
        entries, values: The stored entries, and the items of waits that are done.
        suspend_after: How long a wait may last in memory.
        code: The code that executes the run.
    """

    def __init__(
        self,
        run_id: str,
        entries: Mapping[str, bytes],
        values: Mapping[str, Sequence[bytes]],
        suspend_after: timedelta,
        code: Code = UNKNOWN,
    ) -> None:
        self.run_id = run_id
        self.values = dict(values)
        self.suspend_after = suspend_after
        self.is_suspended = False
        self._stored = entries
        self._changed: dict[str, JournalEntry] = {}
        self._unwritten: dict[str, bytes] = {}
        self._failures: dict[str, dict[str, JournalEntry]] = {}
        self._delays: dict[str, int] = {}
        self._begun: dict[str, int] = {}
        for key in entries:
            self._count_delay(key)
        self._mismatch: JournalError | OtherVersion | None = None
        self._asked: set[str] = set()
        self._code = code
        self._made_by = Code.read(entries[CODE_KEY]) if CODE_KEY in entries else None
        self.salt = entries[SALT_KEY].decode() if SALT_KEY in entries else ""
        self._is_code_written = code in (self._made_by, UNKNOWN)

    def find(self, key: str, asked: Asked) -> JournalEntry | None:
        """Return the entry of a call, None when it was not made before.

        Raises:
            Suspended: The code is being suspended, or another version of the code has made the journal.
            JournalError: The journal has another call there, or had one at an earlier call.
        """
        self.check()
        self._asked.add(key)
        entry = self.entry(key)
        if entry is not None and entry.asked != asked:
            raise self.misfit(key, f"the journal has {entry.asked} at {key}, the code asks for {asked}")
        if entry is None:
            self._begun[key] = _now_ms()
            # The code has caught the failure before this call in its asyncio task, and has gone on.
            for failed, failure in self._failures.pop(_path(key), {}).items():
                self.note(failed, failure)
        return entry

    def misfit(self, key: str, what: str) -> JournalError | OtherVersion:
        """Return the error of a call that the journal does not fit. Every later call raises it, too.

        Code that made the journal itself would not fit it in the next attempt either, so its run fails.
        """
        if self._made_by is not None and self._made_by != self._code:
            repeated = repeated_calls(self._stored)
            self._mismatch = OtherVersion(self.run_id, self._made_by, self._code, key, what, repeated)
        else:
            self._mismatch = JournalError(
                f"The code of run {self.run_id} does not fit its journal: {what}. The same code has made this journal, "
                "so its calls are not the same each time. Take what differs (time, random numbers, data from outside) "
                "into a step, then replay the run."
            )
        return self._mismatch

    def note_failure(self, key: str, asked: Asked, error: Exception) -> None:
        """Note the error of a step. It is journaled once the code goes on from it."""
        if not is_kind(error, (AbortRun, RetryAfter, OutOfMemory, TaskflowError)):
            self._failures.setdefault(_path(key), {})[key] = JournalEntry("f", asked, failure_json(error))

    def entry(self, key: str) -> JournalEntry | None:
        """Return the entry of a key, None when there is none."""
        entry = self._changed.get(key)
        if entry is None and (stored := self._stored.get(key)) is not None:
            entry = JournalEntry.read(stored)
        return entry

    def note(self, key: str, entry: JournalEntry) -> None:
        """Add an entry to the next write."""
        before = self.entry(key)
        began = self._begun.get(key) if before is None or before.began is None else before.began
        entry = replace(entry, began=began, ended=None if entry.state in ("o", "w") else _now_ms())
        self._changed[key] = entry
        self._count_delay(key)
        self._unwritten[key] = entry.text()

    def unwritten(self) -> dict[str, bytes]:
        """Take the entries that are still to be written."""
        entries, self._unwritten = self._unwritten, {}
        if entries and not self._is_code_written:
            self._is_code_written = True
            entries[CODE_KEY] = self._code.text().encode()
        return entries

    def retries_of(self, key: str) -> int:
        """Return how often a step that is not done has been tried again, as far as its delays were journaled."""
        return self._delays.get(key, 0)

    def _count_delay(self, key: str) -> None:
        step, slash, number = key.partition("/")
        if slash:
            self._delays[step] = max(self._delays.get(step, 0), int(number))

    def value(self, scope: Scope, name: str, make: Callable[[bytes], object]) -> object:
        """Return the value that a call had the first time. It is written before the next step or wait begins."""
        key, asked = scope.next_key(), Asked("value", name)
        entry = self.find(key, asked)
        if entry is None:
            seed = hashlib.sha256(f"{self.run_id}\n{key}{self.salt}".encode()).digest()
            entry = JournalEntry("v", asked, to_json(make(seed)))
            self.note(key, entry)
        return from_json(entry.value)

    def check(self) -> None:
        """Refuse to go on after the code was suspended, or after the journal did not fit.

        Raises:
            Suspended: The code is being suspended.
            JournalError: The journal did not fit, and the code went on.
        """
        if self._mismatch is not None:
            raise self._mismatch
        if self.is_suspended:
            raise Suspended(self.run_id)

    @contextmanager
    def around(self, journaling: Journaling, signal: Signal) -> Generator[None]:
        """Number the calls of the task's function, and end the attempt although its code catches ``Suspended``."""
        with in_scope(Scope(journaling)):
            try:
                yield
            except BaseException as error:
                if _is_stop(error, signal):
                    raise
                if isinstance(self._mismatch, OtherVersion):
                    raise self._mismatch from (None if error is self._mismatch else error)
                if self.is_suspended and not is_kind(error, Suspended):
                    raise Suspended(self.run_id) from error
                raise
        self.check()
        self._check_rest()

    def _check_rest(self) -> None:
        """Refuse the end of code that did not make all calls that another version of it has made."""
        if self._made_by is None or self._made_by == self._code:
            return
        left = sorted(int(key) for key in self._stored if key.isdigit() and key not in self._asked)
        if left:
            entry = JournalEntry.read(self._stored[str(left[0])])
            raise self.misfit(str(left[0]), f"the journal has {entry.asked} at {left[0]}, the code ends before it")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _path(key: str) -> str:
    return key.rpartition(".")[0]


def _is_stop(error: BaseException, signal: Signal) -> bool:
    """Whether an exception stops the attempt from outside."""
    return is_kind(error, (GeneratorExit, SystemExit, KeyboardInterrupt)) or signal.is_set()
