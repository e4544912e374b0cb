"""The runs that the tab lists: what the address asks for, and the rows of the answer.

Payloads, outputs and metadata are not shown at all. Nothing here may block the loop that serves every page of Flower.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from taskflow.definition.calls.run_filter import RunFilter, RunPosition
from taskflow.engine.engine import Engine
from taskflow.engine.nodes import short_name
from taskflow.models import Run, RunStatus
from taskflow.texts import visible_line

LIMIT: Final = 50
_LONGEST_ERROR: Final = 200
_FAILURES: Final = tuple(status for status in RunStatus if status.is_failed)
VIEWS: Final[Mapping[str, tuple[RunStatus, ...]]] = {
    "": (),
    "live": tuple(status for status in RunStatus if not status.is_finished),
    "completed": (RunStatus.COMPLETED,),
    "failed": _FAILURES,
    "canceled": (RunStatus.CANCELED,),
}
"""The statuses of each view. Another value of the parameter is the name of one status."""
_BADGES: Final[Mapping[RunStatus, str]] = {
    RunStatus.EXECUTING: "task-state-started",
    RunStatus.WAITING: "text-bg-info",
    RunStatus.COMPLETED: "text-bg-success",
    **dict.fromkeys((RunStatus.PENDING_VERSION, RunStatus.REATTEMPTING, RunStatus.EXPIRED), "text-bg-warning"),
    **dict.fromkeys((status for status in _FAILURES if status is not RunStatus.EXPIRED), "text-bg-danger"),
}


@dataclass(frozen=True, slots=True)
class RunQuery:
    """The query of an address. With ``run`` it asks for that run, whatever the rest is."""

    status: str = ""
    task: str = ""
    run: str = ""
    cursor: str = ""

    @classmethod
    def of(cls, argument: Callable[[str], str]) -> "RunQuery":
        """Return the query of the arguments of a request."""
        return cls(argument("status"), argument("task"), argument("run"), argument("cursor"))

    def where(self) -> RunFilter:
        """Return the filter.

        Raises:
            RunFilterError: There is no such status, or no task can have such an id.
        """
        status = VIEWS.get(self.status, self.status.upper())
        return RunFilter(status=status, task=self.task or ())

    def position(self) -> RunPosition | None:
        """Return the position behind which the runs are wanted, None for the newest ones."""
        created, _, run_id = self.cursor.partition(".")
        return RunPosition(int(created), run_id) if created.isdecimal() and len(created) < 15 and run_id else None

    def text(self, **changes: str) -> str:
        """Return the query of an address, with other values for some fields."""
        fields = {"status": self.status, "task": self.task, "run": self.run} | changes
        return urlencode({name: value for name, value in fields.items() if value})


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run with what its row shows. Texts but ``id`` have no invisible characters.

    Attributes:
        seconds: For how long it executes, or did from its first start to its end; None before the start.
        worker: Celery's name of the worker that executed it last, "" before the first claim.
    """

    id: str
    shown_id: str
    status: RunStatus
    badge: str
    task: str
    queue: str
    created_at: datetime
    seconds: float | None
    worker: str
    error: str

    @classmethod
    def of(cls, run: Run, *, hides: bool) -> "RunRow":
        """Return the row of a run.

        Args:
            hides: Whether values are hidden by TASKFLOW_REDACT: an error's message may repeat them, so that only its
                type is shown.
        """
        start = run.started_at
        took = ((run.finished_at or datetime.now(UTC)) - start).total_seconds() if start else None
        return cls(
            run.id,
            visible_line(run.id),
            run.status,
            _BADGES.get(run.status, "text-bg-secondary"),
            visible_line(run.task_id),
            visible_line(run.queue),
            run.created_at,
            took,
            visible_line(short_name(run.attempts[-1].node)) if run.attempts else "",
            _error(run, hides=hides),
        )


@dataclass(frozen=True, slots=True)
class RunList:
    """A page of runs, newest first. ``older`` is the query of the following page, "" on the last one."""

    rows: tuple[RunRow, ...]
    older: str = ""


async def list_runs(engine: Engine, query: RunQuery, *, hides: bool) -> RunList:
    """Return the runs that a query asks for.

    Raises:
        RunFilterError: See ``RunQuery.where``.
        StoreUnavailableError: The store did not answer.
        HistoryUnavailableError: The history's database did not answer.
    """
    if query.run:
        found, has_more = [await engine.runs.aretrieve(query.run)], False
    else:
        found, has_more = await engine.pages.apage([query.where()], LIMIT, query.position())
    records = {run.id: run for run in await engine.feed().records.read_many([run.id for run in found])}
    rows = tuple(RunRow.of(records.get(run.id, run), hides=hides) for run in found)
    return RunList(rows, query.text(cursor=_cursor(found[-1])) if has_more else "")


def _cursor(run: Run) -> str:
    position = RunPosition.of(run)
    return f"{position.created_ms}.{position.run_id}"


def _error(run: Run, *, hides: bool) -> str:
    error = run.error
    if error is None:
        return ""
    text = error.type if hides or not error.message else f"{error.type}: {error.message}"
    line = visible_line(" ".join(text.split()))
    return line if len(line) <= _LONGEST_ERROR else f"{line[:_LONGEST_ERROR]}…"
