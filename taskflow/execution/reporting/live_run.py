"""Reports of one attempt that executes here: its copy of the run's metadata, and the changes that are not yet sent."""

import itertools
import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from taskflow.errors import (
    OutsideRunError,
    RunNotFoundError,
    RunUpdateError,
    StaleClaimError,
    StoreScriptError,
    StreamError,
    UnstorableError,
)
from taskflow.execution.reporting.changes import Change, Json, Pending
from taskflow.execution.reporting.lines import EndedSpan, LineCounter, LineLimits
from taskflow.execution.reporting.own_metadata import OwnMetadata
from taskflow.execution.reporting.sink import BegunText, HandedLine, ReportSink, RunIdentity, RunWriter
from taskflow.execution.reporting.span_book import SpanBook, number_around
from taskflow.seams.streams import StreamWriter

log = logging.getLogger("taskflow.run")


@dataclass(frozen=True, slots=True)
class _Flush:
    run_id: str
    number: int
    changes: tuple[Change, ...] = ()
    tags: tuple[str, ...] = ()


class LiveRun:
    """The changes of one attempt, gathered in memory; ``send`` sends them in order. Thread-safe.

    Args:
        metadata: The run's stored metadata, b"" for none.
        limits: Most log lines that are kept.

    Attributes:
        streams: The writers of the attempt's items, by run and name of the stream.
        inputs: Number of items that the attempt has taken from each input stream.
        at_end: Called at the end of the attempt.
        is_fork: Whether this is the copy in a fork of the process that executes the attempt.
        text: The lines that have begun on the standard streams.
    """

    __slots__ = (
        "_limits",
        "_lines",
        "_loaded",
        "_lock",
        "_metadata",
        "_number",
        "_outgoing",
        "_pending",
        "_sending",
        "_sink",
        "_spans",
        "_tags",
        "_writer",
        "at_end",
        "identity",
        "inputs",
        "is_fork",
        "is_over",
        "streams",
        "text",
    )  # fmt: skip

    def __init__(self, identity: RunIdentity, metadata: bytes, sink: ReportSink, limits: LineLimits) -> None:
        self.identity = identity
        self._writer = f"{identity.run_id}.{identity.claim}"
        self._loaded = identity.claim
        self.is_over = self.is_fork = False
        self.streams: dict[tuple[str, str], StreamWriter] = {}
        self.inputs: dict[str, int] = {}
        self.at_end: list[Callable[[], None]] = []
        self.text: BegunText | None = None
        self._sink = sink
        self._limits = limits
        self._lines: LineCounter | None = None
        self._spans: SpanBook | None = None
        self._metadata = OwnMetadata(metadata)
        self._pending: dict[str, Pending] = {}
        self._tags: dict[str, None] = {}
        self._outgoing: list[_Flush] = []
        self._number = 0
        self._lock = threading.RLock()  # a signal handler may log
        self._sending = threading.Lock()

    def adopt_claim(self, claim: int) -> None:
        """Write under another claim from now on: the store has resumed the run."""
        self.identity = self.identity._replace(claim=claim)

    @property
    def is_dirty(self) -> bool:
        """Whether something is not yet sent."""
        return bool(self._pending or self._tags or self._outgoing or self._unwritten())

    def current(self) -> Json:
        """Return a copy of the run's metadata, with what is not yet sent."""
        with self._lock:
            return self._metadata.current()

    def change(self, run_id: str, change: Change, verb: str) -> None:
        """Change metadata: the run's own at once in its copy, another run's once it is sent.

        Raises:
            RunUpdateError: The change does not fit the metadata, or the metadata would be too large.
            OutsideRunError: The attempt has ended.
        """
        with self._lock:
            if self.is_over:
                raise OutsideRunError(verb)
            if run_id == self.identity.run_id:
                self._metadata.change(change, verb, run_id)
            self._pending.setdefault(run_id, Pending()).add(change)
        self._sink.wake()

    def add_tags(self, tags: Sequence[str]) -> None:
        """Add tags.

        Raises:
            OutsideRunError: The attempt has ended.
        """
        with self._lock:
            if self.is_over:
                raise OutsideRunError("tags.add")
            self._tags.update(dict.fromkeys(tags))
        self._sink.wake()

    def log(self, level: str, logger: str, message: str, fields: dict[str, object]) -> None:
        """Keep a log line, also after the attempt's end, because its threads may go on for a while."""
        me = self.identity
        if not self._sink.hand_over(HandedLine(me.run_id, me.claim, level, logger, message, fields)):
            within = number_around(self._spans)
            self._keep(self._counter().line(self._loaded, me.attempt, level, logger, message, fields, within))

    def open_spans(self) -> SpanBook:
        """Return the book in which a span is to be opened, and write what is open for a second then."""
        with self._lock:
            self._spans = self._spans or SpanBook()
        if not self.is_fork:
            self._sink.wake()
        return self._spans

    def end_span(self, span: EndedSpan) -> None:
        """Keep a user's span that has ended, like a log line. One of a fork becomes a line."""
        if self.is_fork:
            self.log("INFO", "taskflow.span", f"{span.name}: {span.seconds:.3f} s", span.fields)
            return
        self._keep(self._counter().span(self._loaded, self.identity.attempt, span))

    def write_spans(self, open_for: float | None = None) -> bool:
        """Write the spans that have ended, and the number of dropped lines.

        Args:
            open_for: Seconds after which also a span is written that is open.

        Returns:
            Whether spans are left that will have to be written.
        """
        spans = self._spans
        if spans is not None and not self.is_fork and spans.has_news:
            for part in spans.take(open_for):
                self._keep(self._counter().trace(self._loaded, self.identity.attempt, part))
        if self._lines is not None and self._lines.dropped:
            self._keep(self._lines.take_dropped())
        return spans is not None and not self.is_fork and spans.has_news

    def _counter(self) -> LineCounter:
        with self._lock:
            self._lines = self._lines or LineCounter(self._limits)
            return self._lines

    def _keep(self, document: bytes) -> None:
        if document:
            self._sink.keep_line(self.identity.run_id, self.identity.claim, document)

    @property
    def has_logged(self) -> bool:
        """Whether a line was written."""
        return self._lines is not None

    def send(self) -> None:
        """Send all changes. A change that the store refuses is dropped and logged.

        Raises:
            StoreUnavailableError: The changes that were not sent are kept for the next time.
        """
        with self._sending:
            with self._lock:
                self._collect()
            while self._outgoing:
                try:
                    self._send(self._sink.writer, self._outgoing[0])
                except (StaleClaimError, RunNotFoundError) as stale:
                    if isinstance(stale, StaleClaimError) and self.identity.claim > stale.claim:
                        continue  # the write was late: the code has read newer claims since
                    log.info("run.unreported: %s", stale)
                    self._outgoing.clear()
                    return
                except (RunUpdateError, StoreScriptError, UnstorableError) as refused:
                    log.warning("run.unreported: %s", refused)
                del self._outgoing[0]
            for stream in self._unwritten():
                try:
                    stream.flush()
                except (StaleClaimError, RunNotFoundError, StreamError) as refused:
                    log.warning("run.unreported: %s", refused)

    def reserve_input(self, name: str) -> int:
        """Reserve the next item of an input stream before it exists. Returns its index."""
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
        """Take an item of an input stream. Returns False when other code of this attempt has taken it."""
        with self._lock:
            if self.inputs.get(name, 0) != index:
                return False
            self.inputs[name] = index + 1
            return True

    def become_fork(self) -> None:
        """Go on in a fork: what its parent has not sent yet is the parent's, and changes are sent at once."""
        self.is_fork = True
        self._lock, self._sending = threading.RLock(), threading.Lock()
        self._pending.clear()
        self._tags.clear()
        self._outgoing.clear()
        self.streams, self.at_end, self.text, self._spans = {}, [], None, None
        self._writer = f"{self._writer}.{os.getpid()}"
        self._sink.become_fork()

    def finish_text(self) -> None:
        """Keep what was written to the standard streams without a line break at its end."""
        if self.text is not None:
            self.text.finish()

    def end(self) -> None:
        """Refuse further changes, and end the attempt's work in the background."""
        self.finish_text()
        self.is_over = True
        self.write_spans()
        for each in self.at_end:
            each()

    def _unwritten(self) -> list[StreamWriter]:
        return [stream for stream in list(self.streams.values()) if stream.is_dirty] if self.streams else []

    def _send(self, writer: RunWriter, flush: _Flush) -> None:
        me = self.identity
        if flush.tags:
            writer.add_tags(me.run_id, me.claim, flush.tags)
            return
        is_own = flush.run_id == me.run_id
        claim = me.claim if is_own else None
        stored = writer.update_metadata(flush.run_id, claim, flush.changes, self._writer, flush.number)
        if is_own and stored is not None:
            self._rebase(stored, flush)

    def _rebase(self, stored: bytes, sent: _Flush) -> None:
        """Replace the copy by the store's metadata, because other runs may write too, and apply the unsent changes."""
        me = self.identity.run_id
        with self._lock:
            later = [flush.changes for flush in self._outgoing if flush is not sent and flush.run_id == me]
            unsent = [*itertools.chain.from_iterable(later), *self._pending.get(me, ())]
            self._metadata.replace(stored, unsent)

    def _collect(self) -> None:
        me = self.identity.run_id
        for run_id in sorted(self._pending, key=lambda each: each != me):  # its own first: a stale claim drops the rest
            self._outgoing.append(_Flush(run_id, self._count(), tuple(self._pending[run_id])))
        self._pending.clear()
        if self._tags:
            self._outgoing.append(_Flush(me, self._count(), tags=tuple(self._tags)))
            self._tags.clear()

    def _count(self) -> int:
        self._number += 1
        return self._number
