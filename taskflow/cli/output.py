"""Output of the commands: tables and colors for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import islice
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from taskflow.models import Run, RunStatus

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
console = Console(width=None if sys.stdout.isatty() else 160)
_MOST_PROBLEMS: Final = 20
COLORS = {
    RunStatus.COMPLETED: "green",
    RunStatus.EXECUTING: "cyan",
    RunStatus.REATTEMPTING: "yellow",
    RunStatus.CANCELED: "magenta",
}


def print_json(value: object) -> None:
    """Print a value as JSON, instants in ISO 8601."""
    print(json.dumps(value, default=_plain, indent=2))


def print_json_line(value: object) -> None:
    """Print a value as one line of JSON, and flush it."""
    print(json.dumps(value, default=_plain), flush=True)


def print_problems(lines: Iterable[str]) -> None:
    """Print the first 20 lines as warnings."""
    for line in islice(lines, _MOST_PROBLEMS):
        console.print(line, style="yellow", highlight=False, markup=False)


def facts_table() -> Table:
    """Return an empty table for rows of a name and its value."""
    return Table(box=None, show_header=False, pad_edge=False)


def run_dict(run: Run) -> dict[str, Any]:
    """Return a run as JSON values."""
    return asdict(run)


def runs_table(runs: Sequence[Run], title: str | None = None) -> Table:
    """Return a table of runs, one a row."""
    table = Table(title=title, box=None, pad_edge=False, header_style="bold")
    for heading in ("RUN", "TASK", "STATUS", "MACHINE", "QUEUE", "AGE", "TOOK"):
        table.add_column(heading, no_wrap=True, min_width=37 if heading == "RUN" else None)
    for run in runs:
        table.add_row(
            run.id, run.task_id, status_text(run.status), run.machine, run.queue, age(run.created_at), _took(run)
        )
    return table


def counts_table(fields: Sequence[str], counts: Mapping[tuple[str, ...], int]) -> Table:
    """Return a table of numbers of runs by the values of their fields."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for field in fields:
        table.add_column(field.upper(), overflow="fold")
    table.add_column("RUNS", justify="right")
    for values, number in counts.items():
        shown = (
            status_text(RunStatus(value)) if field == "status" else Text(value or "-")
            for field, value in zip(fields, values, strict=True)
        )
        table.add_row(*shown, str(number))
    return table


def status_text(status: RunStatus) -> Text:
    """Return a status in its color."""
    return Text(status.value, COLORS.get(status, "red" if status.is_failed else "blue"))


def age(instant: datetime) -> str:
    """Return the time since an instant, in two units at most."""
    return span(datetime.now(UTC) - instant)


def time_and_age(instant: datetime) -> str:
    """Return an instant with its age: ``2026-01-31 12:00:00 UTC, 5m03s ago``."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC, {age(instant)} ago"


def span(duration: timedelta) -> str:
    """Return a duration in two units at most."""
    seconds = max(0.0, duration.total_seconds())
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def _took(run: Run) -> str:
    if run.started_at is None:
        return "-"
    return span((run.finished_at or datetime.now(UTC)) - run.started_at)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else str(value)
