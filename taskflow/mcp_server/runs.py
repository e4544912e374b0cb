"""Tools that read runs."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import Field

from taskflow.definition.calls.run_filter import RunField, RunFilter, check_fields
from taskflow.durations import parse_duration
from taskflow.errors import ResultTimeoutError, RunFailedError
from taskflow.mcp_server.bounds import part_of
from taskflow.mcp_server.documents import short_run, whole_run
from taskflow.mcp_server.hidden import read_run, shown_runs
from taskflow.mcp_server.session import Session
from taskflow.mcp_server.tool import Arguments, Document, Tool
from taskflow.models import RunStatus

_MOST_RUNS: Final = 30
_LONGEST_WAIT: Final = 50
"""Seconds; clients give a call up after 60."""


class Filter(Arguments):
    """Conditions on runs. All that are given must hold."""

    status: list[RunStatus] = Field([], description="Any of these statuses.")
    task: str = Field("", description="The task's id.")
    tag: str = ""
    queue: str = ""
    batch: str = Field("", description="The id of a batch.")
    error: str = Field("", description="Part of the error's type or message.")
    error_group: str = Field("", description="The id of a group, as list_errors has it.")
    since: str = Field("", description="Made within this time up to now: 30m, 24h, 7d.")

    def where(self) -> RunFilter:
        """Return the filter.

        Raises:
            RunFilterError: A condition is not possible.
            DefinitionError: ``since`` is no duration.
        """
        since = datetime.now(UTC) - parse_duration(self.since, option="since") if self.since else None
        return RunFilter(
            status=self.status,
            task=self.task or (),
            tag=self.tag or (),
            queue=self.queue or None,
            batch=self.batch or None,
            error=self.error or None,
            fingerprint=self.error_group or None,
            created_from=since,
        )


class ListRuns(Filter):
    """A page of runs."""

    limit: int = Field(20, ge=1, le=_MOST_RUNS)
    cursor: str = Field("", description="The `cursor` of the page before.")


class CountRuns(Filter):
    """Counts of runs."""

    by: list[RunField] = Field(["status"], min_length=1, description="The fields whose values are counted.")


class GetRun(Arguments):
    """One run."""

    run_id: str
    wait_seconds: float = Field(
        0, ge=0, le=_LONGEST_WAIT, description="Wait so long at most until it has ended. Ask again if it has not."
    )
    part: str = Field(
        "", description="Only this part, from a note `at` of a result that was cut: /payload/items. See offset."
    )
    offset: int = Field(0, ge=0, description="With part: characters of a text, or members, left out at the beginning.")


async def list_runs(session: Session, wanted: ListRuns) -> Document:
    """Return a page of runs, newest first."""
    page = await session.engine.runs.alist(wanted.limit, wanted.where(), wanted.cursor or None)
    runs = await shown_runs(session, page.runs)
    return {"runs": [short_run(run) for run in runs]} | ({"cursor": page.cursor} if page.cursor else {})


async def count_runs(session: Session, wanted: CountRuns) -> Document:
    """Return numbers of runs."""
    fields = check_fields(tuple(wanted.by))
    counts = await session.engine.runs.acount(fields, wanted.where())
    rows: list[dict[str, Any]] = [
        {**dict(zip(fields, values, strict=True)), "count": count} for values, count in counts.items()
    ]
    return {"counts": sorted(rows, key=lambda row: -row["count"])}


async def get_run(session: Session, wanted: GetRun) -> Document:
    """Return a run, once it has ended if the caller waits."""
    if wanted.wait_seconds:
        with contextlib.suppress(ResultTimeoutError, RunFailedError):
            await session.engine.runs.aoutput(wanted.run_id, timedelta(seconds=wanted.wait_seconds))
    run = whole_run(await read_run(session, wanted.run_id))
    if wanted.part:
        return {"run_id": wanted.run_id, "part": wanted.part} | part_of(run, wanted.part, wanted.offset)
    return run


TOOLS: Final = (
    Tool(
        "list_runs",
        "List runs",
        "List runs, the newest first, by status, task, tag, queue, batch, error or age. Without payload and output, "
        "which get_run has.",
        ListRuns,
        list_runs,
    ),
    Tool(
        "count_runs",
        "Count runs",
        "Count runs by status, task, queue, machine, executor or version, for example the failures of a day by task.",
        CountRuns,
        count_runs,
    ),
    Tool(
        "get_run",
        "Get a run",
        "Get one run: status, why it does not go on (reason), payload, output or error with traceback, attempts with "
        "their times, waits, steps, children. With wait_seconds it waits for the end of the run.",
        GetRun,
        get_run,
    ),
)
