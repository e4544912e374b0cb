"""The trace of a run as values: spans with their parents, log lines between them, and their rows in order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from taskflow.definition.calls.log_line import LogLine
from taskflow.models import Run, RunStatus

ROOT: Final = "run"
"""The id of the span of the whole run."""


class SpanKind(StrEnum):
    """The kind of a span."""

    RUN = "run"
    PENDING_VERSION = "pending_version"
    DELAYED = "delayed"
    QUEUED = "queued"
    RETRY_DELAY = "retry_delay"
    ATTEMPT = "attempt"
    MIDDLEWARE = "middleware"
    HOOK = "hook"
    FUNCTION = "function"
    SPAN = "span"
    STEP = "step"
    WAIT = "wait"
    CHILD = "child"
    STREAM = "stream"


class SpanOutcome(StrEnum):
    """The end of a span."""

    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    INTERRUPTED = "interrupted"
    CANCELED = "canceled"
    UNLOADED = "unloaded"


@dataclass(frozen=True, slots=True)
class Interval:
    """A time in which nobody computed. ``ended`` is None while it lasts."""

    began: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """One span.

    Attributes:
        id: It stays the same while the run goes on, and is unique in the trace.
        parent: The id of the span around it, None for the whole run.
        name: Of a hook its kind, of a middleware its function, of a wait its kind (``"token"``), of a child its task.
        note: A second name, for example of a hook its function, of a wait the task or stream, of an attempt its node.
        ended: None while it goes on.
        outcome: How it ended, None while it goes on, and where nothing can fail.
        error: The type of the exception that ended it.
        attempt: The number of the attempt that it belongs to.
        parked: Intervals in which its code waited without a place in its node.
        fields: What the user has added, or facts for people: ``{"until", "token", "runs", "batch"}`` of a wait.
        run_id, status: The run that a child is, and its status.
    """

    id: str
    parent: str | None
    kind: SpanKind
    name: str
    began: datetime
    ended: datetime | None
    note: str = ""
    outcome: SpanOutcome | None = None
    error: str | None = None
    attempt: int | None = None
    parked: tuple[Interval, ...] = ()
    fields: Mapping[str, object] = field(default_factory=dict[str, object])
    run_id: str | None = None
    status: RunStatus | None = None

    @property
    def is_open(self) -> bool:
        """True while it goes on."""
        return self.ended is None


@dataclass(frozen=True, slots=True)
class TraceLine:
    """A log line, and the id of the span around it."""

    line: LogLine
    parent: str


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A span or a log line in the order of the tree. ``depth`` is 0 for the whole run."""

    item: TraceSpan | TraceLine
    depth: int
    has_children: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of a run.

    Attributes:
        run: The run's record, read before the rest.
        rows: The tree from its root on, each span before those within it.
        read_at: The time up to which open spans have lasted.
        more_children: Whether there are more child runs than are shown.
    """

    run: Run
    rows: tuple[TraceRow, ...]
    read_at: datetime
    more_children: bool = False

    @property
    def spans(self) -> tuple[TraceSpan, ...]:
        """The spans, in the order of the rows."""
        return tuple(row.item for row in self.rows if isinstance(row.item, TraceSpan))

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """The log lines by their time."""
        lines = [row.item.line for row in self.rows if isinstance(row.item, TraceLine)]
        return tuple(sorted(lines, key=lambda line: line.at))
