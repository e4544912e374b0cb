"""The options that select runs: ``--status FAILED --task x --tag y --queue q --since 1h``."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.definition.durations import parse_duration
from taskflow.errors import RunFilterError
from taskflow.models import RunStatus

Statuses = Annotated[
    list[str] | None, typer.Option("--status", help="Runs of this status, e.g. FAILED; may repeat.", metavar="STATUS")
]
TaskIds = Annotated[list[str] | None, typer.Option("--task", help="Runs of this task; may repeat.", metavar="ID")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Runs with this tag; may repeat.")]
QueueName = Annotated[str | None, typer.Option("--queue", help="Runs of this queue.")]
Since = Annotated[str | None, typer.Option("--since", help="Runs made since then: 30s, 5m, 1h30m ago.")]
BatchId = Annotated[str | None, typer.Option("--batch", help="Runs of this batch.", metavar="ID")]


def run_filter(
    status: list[str] | None,
    task: list[str] | None,
    tag: list[str] | None,
    queue: str | None,
    since: str | None,
    batch: str | None,
) -> RunFilter:
    """Return the filter that was given.

    Raises:
        RunFilterError: No such status.
        DefinitionError: ``since`` is no duration.
    """
    return RunFilter(
        status=tuple(map(_status, status or ())),
        task=tuple(task or ()),
        tag=tuple(tag or ()),
        queue=queue,
        batch=batch,
        created_from=None if since is None else datetime.now(UTC) - parse_duration(since, option="since"),
    )


def _status(name: str) -> RunStatus:
    try:
        return RunStatus(name.upper().replace("-", "_"))
    except ValueError:
        raise RunFilterError("status", name, f"It is one of {', '.join(RunStatus)}.") from None
