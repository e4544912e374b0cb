"""Output of the commands: tables of runs for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from taskflow.cli.printing import add_row, make_table
from taskflow.models import Run, RunStatus

_ID_WIDTH = 37
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
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


def run_dict(run: Run) -> dict[str, Any]:
    """Return a run as JSON values."""
    return asdict(run)


def runs_table(runs: Sequence[Run]) -> Table:
    """Return a table of runs, one a row."""
    table = make_table("RUN", "TASK", "STATUS", "MACHINE", "QUEUE", "AGE", "TOOK")
    for column in table.columns:
        column.no_wrap = True
    table.columns[0].min_width = _ID_WIDTH
    for run in runs:
        texts = (run.machine, run.queue, age(run.created_at), _took(run))
        add_row(table, run.id, run.task_id, status_text(run.status), *texts)
    return table


def counts_table(fields: Sequence[str], counts: Mapping[tuple[str, ...], int]) -> Table:
    """Return a table of numbers of runs by the values of their fields."""
    table = make_table(*(field.upper() for field in fields))
    table.add_column("RUNS", justify="right")
    for values, number in counts.items():
        shown = (
            status_text(RunStatus(value)) if field == "status" else value or "-"
            for field, value in zip(fields, values, strict=True)
        )
        add_row(table, *shown, str(number))
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
