"""The lines of the log about runs: one for each change that matters, and one for each line that a run logs. No I/O."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.text import Text

from taskflow.engine.log_lines import line_of
from taskflow.models import Run, RunError, RunStatus
from taskflow.store.events import Event
from taskflow.texts import visible, visible_line

_MOST_KNOWN: Final = 20_000
_TRACEBACK: Final = "Traceback (most recent call last):\n"
_LEVELS: Final = {"DEBUG": "dim", "INFO": "", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}
_ID_CHARS: Final = 6
_SHOWN_AT_A_START: Final = frozenset({RunStatus.QUEUED, RunStatus.DELAYED})
"""Statuses that a run has before it starts, which the log leaves out."""


@dataclass(slots=True)
class _Known:
    task_id: str
    status: RunStatus | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class RunLine:
    """One line. ``at`` is the time of the store."""

    at: datetime
    text: Text


class Page:
    """The addresses of pages of runs.

    Args:
        base: The address of the environment's pages, "" without a dashboard.
    """

    def __init__(self, base: str) -> None:
        self._base = base

    def __call__(self, run_id: str) -> str:
        """Return the address of a run's page."""
        return f"{self._base}/runs/{run_id}" if self._base else ""


class RunLines:
    """Remembers what it has shown of the runs that changed lately.

    Args:
        page: Returns the address of a run's page, "" without a dashboard.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def needs_record(self, event: Event) -> bool:
        """Whether ``line`` needs the run's record for an event."""
        return event.kind == "status" or (event.kind == "log" and event.run_id not in self._known)

    def line(self, event: Event, run: Run | None) -> RunLine | None:
        """Return the line of an event, None for one that is not shown.

        Args:
            run: The record, read later than the event was written. None when the store has none any more.
        """
        known = self._known.get(event.run_id)
        if known is None:
            if run is None:
                return None
            known = self._known[event.run_id] = _Known(run.task_id)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        at = datetime.fromtimestamp(event.at_ms / 1000, UTC).astimezone()
        if event.kind == "log":
            return _log_line(self._name(event.run_id, known, "dim"), event.value)
        text = None if run is None else self._status_line(known, RunStatus(event.value), run, event.at_ms)
        return None if text is None else RunLine(at, text)

    def _status_line(self, known: _Known, status: RunStatus, run: Run, at_ms: int) -> Text | None:
        before, known.status = known.status, status
        if before is status or (before is None and status in _SHOWN_AT_A_START):
            return None
        words = _words(before, status, run, at_ms)
        if words is None:
            return None
        line = Text.assemble(self._name(run.id, known, "bold"), "  ", words)
        if address := self._page(run.id):
            line.append(f"  {address}", "dim underline" if status.is_finished else "dim")
        if status.is_failed and run.error is not None:
            line.append(f"\n{_frames(run.error)}", "red")
        return line

    def _name(self, run_id: str, known: _Known, style: str) -> Text:
        return Text.assemble((visible_line(known.task_id), style), (f" {visible_line(run_id)[-_ID_CHARS:]}", "dim"))


def _words(before: RunStatus | None, status: RunStatus, run: Run, at_ms: int) -> Text | None:
    """Return the words for a change."""
    match status:
        case RunStatus.EXECUTING:
            return Text("goes on" if before is RunStatus.WAITING else "started", "cyan")
        case RunStatus.QUEUED:
            is_interrupted = before is RunStatus.EXECUTING
            return Text("was interrupted or lost, and starts again", "yellow") if is_interrupted else None
        case RunStatus.WAITING:
            return Text("waits", "blue")
        case RunStatus.REATTEMPTING:
            return _retry(run, at_ms)
        case RunStatus.PENDING_VERSION:
            return Text("waits for workers with code that fits it", "yellow")
        case RunStatus.DELAYED:
            return None
        case RunStatus.COMPLETED:
            return Text(f"completed{_took(run)}", "green")
        case RunStatus.CANCELED:
            return Text(f"canceled{_took(run)}", "magenta")
        case _:
            why = f": {_one_line(run.error)}" if run.error else ""
            return Text(f"{status.value.lower().replace('_', ' ')}{_took(run)}{why}", "bold red")


def _retry(run: Run, at_ms: int) -> Text:
    failed = run.attempts[-1] if run.attempts else None
    why = f"attempt {failed.number} failed: {_one_line(failed.error)}" if failed and failed.error else "lost"
    wait = 0.0 if run.due_at is None else run.due_at.timestamp() - at_ms / 1000
    return Text(f"{why}; the next one starts in {_span(timedelta(seconds=max(0.0, wait)))}", "yellow")


def _took(run: Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return ""
    return f" in {_span(run.finished_at - run.started_at)}"


def _span(duration: timedelta) -> str:
    seconds = duration.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s" if seconds < 60 else str(duration)[:7]


def _one_line(error: RunError) -> str:
    return visible_line(f"{error.type}: {error.message}")


def _frames(error: RunError) -> str:
    return visible(error.traceback.removeprefix(_TRACEBACK).rstrip() or f"{error.type}: {error.message}")


def _log_line(known_name: Text, value: str) -> RunLine | None:
    """Return a line that a run has logged, with its level unless that is INFO."""
    line = line_of(value)
    if line is None:
        return None
    fields = " ".join(f"{name}={value!r}" for name, value in line.fields.items())
    style = _LEVELS.get(line.level, "")
    level = () if line.level == "INFO" else ((f"{line.level} ", style),)
    text = visible(f"{line.message} {fields}" if fields else line.message)
    return RunLine(line.at.astimezone(), Text.assemble(known_name, "  ", *level, (text, style)))
