"""Show runs, as a table for people and as JSON for programs."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from taskflow.models import Run, RunStatus

console = Console(width=None if sys.stdout.isatty() else 160)
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
    """Print a value as JSON in one line, at once."""
    print(json.dumps(value, default=_plain), flush=True)


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


def status_text(status: RunStatus) -> Text:
    """Return a status in its color."""
    return Text(status.value, COLORS.get(status, "red" if status.is_failed else "blue"))


def age(instant: datetime) -> str:
    """Return how long ago an instant was, in two units at most."""
    return span(datetime.now(UTC) - instant)


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
