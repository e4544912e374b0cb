"""The page of one task: its runs and durations over time, its declaration, its schema and its newest runs."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from pydantic_core import to_json
from starlette.responses import Response

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.errors import HistoryUnavailableError, RunFilterError
from taskflow.seams.activity import Bar, Quantiles, TaskActivity
from taskflow.server.dashboard.pages.runs.rows import RunRow, run_rows
from taskflow.server.dashboard.pages.tasks.listing import KINDS, TaskRow, counts_of, executing, kind_of, machine_of
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.view.durations import duration
from taskflow.server.dashboard.view.periods import Period, period_words
from taskflow.server.dashboard.visit import Visit
from taskflow.store.operations.overviews.tasks import TaskRecord

PERIODS: Final = ("1h", "24h", "7d", "30d")
_TABS: Final = ("runs", "schema")
_BARS: Final = 96
_RUNS: Final = 20


async def show(visit: Visit) -> Response:
    """Show a task that workers have registered, or of which there are runs.

    Raises:
        PageProblem: 404: there is neither.
    """
    task_id = visit.path["task_id"]
    period = Period.of(visit.query.get("period", ""))
    record, counts, charts, rows = await asyncio.gather(
        visit.engine.nodes.atask(task_id),
        counts_of(visit.engine, period, [task_id]),
        _charts(visit, task_id, period),
        _newest(visit, task_id),
    )
    if record is None and not rows and task_id not in counts.tasks:
        raise PageProblem(
            404,
            "There is no such task",
            f"No worker has registered {task_id[:200]!r}, and no run of it is known.",
            "Start a worker that has it, or choose a task of the list.",
        )
    activity = counts.tasks.get(task_id, TaskActivity())
    kind = kind_of(record) if record else "unknown"
    queue, machine = (record.queue, machine_of(record)) if record else ("", "")
    tab = visit.query.get("tab", "")
    return visit.render(
        "task.html",
        task=TaskRow(task_id, kind, "", queue, machine, activity, executing(counts, task_id)),
        record=record,
        declared=_declared(record),
        kind=KINDS[kind],
        counts=counts,
        bars=charts[0],
        durations=charts[1],
        charts=_documents(*charts),
        period=period,
        periods=[(name, period_words(name)) for name in PERIODS],
        rows=rows,
        names_tasks=False,
        schema=record.schema.encode() if record and record.schema else b"",
        tab=tab if tab in _TABS else "runs",
    )


Charts = tuple[Sequence[Bar], Sequence[tuple[datetime, Quantiles]]]


async def _charts(visit: Visit, task_id: str, period: Period) -> Charts:
    """Return the bars of a task's runs and durations; none where the history does not answer."""
    activity = visit.engine.activity

    def read() -> Charts:
        bars = activity.bars(period.since, period.until, _BARS, [task_id])
        return bars, activity.durations(task_id, period.since, period.until, _BARS)

    try:
        return await asyncio.to_thread(read)
    except HistoryUnavailableError:
        return (), ()


async def _newest(visit: Visit, task_id: str) -> Sequence[RunRow]:
    try:
        runs, _ = await visit.engine.pages.apage([RunFilter(task=task_id)], _RUNS, None)
    except (HistoryUnavailableError, RunFilterError):
        return ()
    return await run_rows(visit.engine, runs)


def _documents(bars: Sequence[Bar], durations: Sequence[tuple[datetime, Quantiles]]) -> Mapping[str, str]:
    """Return what the charts draw, as JSON: instants in seconds, then one list of numbers for each line."""
    runs = [
        [round(bar.start.timestamp()) for bar in bars],
        [bar.completed for bar in bars],
        [bar.failed for bar in bars],
    ]
    took = [
        [round(at.timestamp()) for at, _ in durations],
        [each.p50.total_seconds() if each.p50 is not None else None for _, each in durations],
        [each.p95.total_seconds() if each.p95 is not None else None for _, each in durations],
    ]
    return {"runs": to_json(runs).decode(), "took": to_json(took).decode()}


def _declared(record: TaskRecord | None) -> Sequence[tuple[str, str]]:
    """Return the facts of a declaration that differ from task to task."""
    if record is None:
        return ()
    facts = [("Queue", record.queue), ("Machine", machine_of(record)), ("Version", record.version or "")]
    details = record.details
    facts.append(("Attempts", f"at most {record.max_attempts}"))
    if details is not None:
        retry = details.retry
        first, most = duration(retry.min_delay), duration(retry.max_delay)
        facts.append(
            ("Retry", f"after {first} to {most}, factor {retry.factor:g}") if retry.max_attempts > 1 else ("Retry", "")
        )
        facts += [("Out of memory", f"retries on {retry.out_of_memory}" if retry.out_of_memory else "")]
        facts += [("Time to live", duration(details.ttl) if details.ttl else "")]
        facts += [("Longest", duration(details.max_duration) if details.max_duration else "")]
        facts += [("Cron", details.cron or ""), ("Every", duration(details.every) if details.every else "")]
        facts += [("Time zone", (details.timezone or "") if details.cron else "")]
        facts += [("Source", details.source or ""), ("Events", ", ".join(details.events))]
        facts += [(f"Hook {kind}", ", ".join(names)) for kind, names in details.hooks.items()]
        facts += [("Tags", ", ".join(details.tags)), ("Function", details.function)]
        facts += [("File", f"{details.file}:{details.line}" if details.file else "")]
    return [(name, value) for name, value in facts if value]
