"""One attempt that executes here, as it tells about itself: its own copy of the metadata, and what is not yet sent."""

import copy
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic_core import from_json, to_json

from taskflow.definition.calls.trigger_options import LARGEST_METADATA
from taskflow.errors import (
    OutsideRunError,
    RunNotFoundError,
    RunUpdateError,
    StaleClaimError,
    StoreScriptError,
    StreamError,
)
from taskflow.execution.reporting.changes import Change, Json, Pending, apply
from taskflow.execution.reporting.lines import LineCounter, LineLimits, SpanTold
from taskflow.execution.reporting.sink import ReportSink, RunIdentity, RunWriter
from taskflow.seams.streams import StreamWriter

log = logging.getLogger("taskflow.run")


@dataclass(frozen=True, slots=True)
class _Batch:
    run_id: str
    number: int
    changes: tuple[Change, ...] = ()
    tags: tuple[str, ...] = ()


class LiveRun:
    """Gathers changes in memory; ``send`` sends them in order. Thread-safe.

    Args:
        metadata: The run's metadata as stored, b"" for none.
        limits: How many log lines are kept.

    Attributes:
        streams: Who writes what the attempt appends, by run and name of the stream.
        inputs: How many items of each input stream the attempt has taken.
        at_end: What else ends with the attempt.
    """

    __slots__ = (
        "_limits",
        "_lines",
        "_lock",
        "_metadata",
        "_number",
        "_outgoing",
        "_pending",
        "_sending",
        "_sink",
        "_size",
        "_tags",
        "_view",
        "_writer",
        "at_end",
        "identity",
        "inputs",
        "is_over",
        "streams",
    )  # fmt: skip

    def __init__(self, identity: RunIdentity, metadata: bytes, sink: ReportSink, limits: LineLimits) -> None:
        self.identity = identity
        self._writer = f"{identity.run_id}.{identity.claim}"
        self.is_over = False
        self.streams: dict[tuple[str, str], StreamWriter] = {}
        self.inputs: dict[str, int] = {}
        self.at_end: list[Callable[[], None]] = []
        self._sink = sink
        self._limits = limits
        self._lines: LineCounter | None = None
        self._metadata = metadata
        self._view: Json | None = None
        self._size = len(metadata)
        self._pending: dict[str, Pending] = {}
        self._tags: dict[str, None] = {}
        self._outgoing: list[_Batch] = []
        self._number = 0
        self._lock = threading.RLock()  # a signal handler may log
        self._sending = threading.Lock()

    def reclaimed(self, claim: int) -> None:
        """The attempt goes on under another claim."""
        self.identity = self.identity._replace(claim=claim)

    @property
    def is_dirty(self) -> bool:
        """Whether something is not yet sent."""
        return bool(self._pending or self._tags or self._outgoing or self._unwritten())

    def current(self) -> Json:
        """Return a copy of the run's metadata, with what is not yet sent."""
        with self._lock:
            return copy.deepcopy(self._read())

    def change(self, run_id: str, change: Change, verb: str) -> None:
        """Change metadata: the run's own at once in its copy, another run's once it is sent.

        Raises:
            RunUpdateError: The change does not fit what is there, or the metadata would be too large.
            OutsideRunError: The attempt is over.
        """
        with self._lock:
            if self.is_over:
                raise OutsideRunError(verb)
            if run_id == self.identity.run_id:
                self._change_own(change, verb)
            self._pending.setdefault(run_id, Pending()).add(change)
        self._sink.wake()

    def add_tags(self, tags: Sequence[str]) -> None:
        """Add tags.

        Raises:
            OutsideRunError: The attempt is over.
        """
        with self._lock:
            if self.is_over:
                raise OutsideRunError("tags.add")
            self._tags.update(dict.fromkeys(tags))
        self._sink.wake()

    def log(self, level: str, logger: str, message: str, fields: dict[str, object]) -> None:
        """Keep a log line. After the attempt's end too: its threads may go on for a while."""
        self._keep(self._counter().line(self.identity.claim, self.identity.attempt, level, logger, message, fields))

    def begin_span(self) -> int:
        """Return the number of a span that begins now."""
        return self._counter().next_span()

    def end_span(self, span: SpanTold) -> None:
        """Keep a span that has ended, like a log line."""
        self._keep(self._counter().span(self.identity.claim, self.identity.attempt, span))

    def _counter(self) -> LineCounter:
        with self._lock:
            self._lines = self._lines or LineCounter(self._limits)
            return self._lines

    def _keep(self, document: bytes) -> None:
        if document:
            self._sink.keep_line(self.identity.run_id, self.identity.claim, document)

    @property
    def has_logged(self) -> bool:
        """Whether there was a line, or a span has begun."""
        return self._lines is not None

    def send(self) -> None:
        """Send all changes. What the store refuses is dropped and logged.

        Raises:
            StoreUnavailableError: What was not sent is kept for the next time.
        """
        with self._sending:
            with self._lock:
                self._collect()
            while self._outgoing:
                try:
                    self._send(self._sink.writer, self._outgoing[0])
                except (StaleClaimError, RunNotFoundError) as stale:
                    log.info("run.unreported: %s", stale)
                    self._outgoing.clear()
                    return
                except (RunUpdateError, StoreScriptError) as refused:
                    log.warning("run.unreported: %s", refused)
                del self._outgoing[0]
            for stream in self._unwritten():
                try:
                    stream.flush()
                except (StaleClaimError, RunNotFoundError, StreamError) as refused:
                    log.warning("run.unreported: %s", refused)

    def reserve_input(self, name: str) -> int:
        """Take the next item of an input stream before it is there. Returns its index."""
        with self._lock:
            index = self.inputs.get(name, 0)
            self.inputs[name] = index + 1
            return index

    def release_input(self, name: str, index: int) -> None:
        """Give a reserved item back, unless one behind it is taken already."""
        with self._lock:
            if self.inputs.get(name) == index + 1:
                self.inputs[name] = index

    def take_input(self, name: str, index: int) -> bool:
        """Take an item of an input stream. Returns False when somebody else of this attempt has."""
        with self._lock:
            if self.inputs.get(name, 0) != index:
                return False
            self.inputs[name] = index + 1
            return True

    def end(self) -> None:
        """Nothing more is taken, and what goes on in the background ends."""
        self.is_over = True
        for each in self.at_end:
            each()

    def _unwritten(self) -> list[StreamWriter]:
        return [stream for stream in list(self.streams.values()) if stream.is_dirty] if self.streams else []

    def _send(self, writer: RunWriter, batch: _Batch) -> None:
        me = self.identity
        if batch.tags:
            writer.add_tags(me.run_id, me.claim, batch.tags)
            return
        is_own = batch.run_id == me.run_id
        claim = me.claim if is_own else None
        stored = writer.update_metadata(batch.run_id, claim, batch.changes, self._writer, batch.number)
        if is_own and stored is not None:
            self._rebase(stored, batch)

    def _rebase(self, stored: bytes, sent: _Batch) -> None:
        """Take over what the store has: other runs may have written too. What is not sent stays on top."""
        me = self.identity.run_id
        with self._lock:
            self._metadata, self._view, self._size = stored, None, len(stored)
            unsent = [
                change
                for batch in self._outgoing
                if batch is not sent and batch.run_id == me
                for change in batch.changes
            ]
            for change in [*unsent, *self._pending.get(me, ())]:
                apply(self._read(), change)
                self._size += _size_of(change)

    def _collect(self) -> None:
        me = self.identity.run_id
        for run_id in sorted(self._pending, key=lambda each: each != me):  # its own first: a stale claim ends the rest
            self._outgoing.append(_Batch(run_id, self._count(), tuple(self._pending[run_id])))
        self._pending.clear()
        if self._tags:
            self._outgoing.append(_Batch(me, self._count(), tags=tuple(self._tags)))
            self._tags.clear()

    def _count(self) -> int:
        self._number += 1
        return self._number

    def _read(self) -> Json:
        if self._view is None:  # most runs have none, and never ask
            self._view = cast("Json", from_json(self._metadata)) if self._metadata else {}
        return self._view

    def _change_own(self, change: Change, verb: str) -> None:
        view = self._read()
        if self._size + _size_of(change) > LARGEST_METADATA:
            view = copy.deepcopy(view)  # a refused change must leave no trace
        if not apply(view, change):
            what = f"{verb}({_shown(change.path)!r}) does not fit the run's metadata"
            raise RunUpdateError(what, "It is not a number, not a list, or one of the path's names is not an object.")
        if view is self._view:
            self._size += _size_of(change)
            return
        size = len(to_json(view))
        if size > LARGEST_METADATA:
            raise RunUpdateError.too_large(self.identity.run_id, size, LARGEST_METADATA)
        self._view, self._size = view, size


def _size_of(change: Change) -> int:
    """Return by how much a change may lengthen the JSON, at most."""
    return len(change.value.encode()) + sum(6 * len(name) + 6 for name in change.path) + 24


def _shown(path: Sequence[str]) -> str:
    return path[0] if len(path) == 1 else f"$.{'.'.join(path)}"
