"""The page of one group of errors: when, where and in which versions it failed, its newest traceback and runs."""

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.errors import HistoryUnavailableError
from taskflow.seams.audit import AuditEntry
from taskflow.seams.error_groups import ErrorGroup
from taskflow.server.dashboard.pages.errors.listing import NO_HISTORY, PERIODS, GroupRow
from taskflow.server.dashboard.pages.runs.rows import RunRow, run_rows
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.view.periods import Period, period_words
from taskflow.server.dashboard.visit import Visit

_RUNS: Final = 20
_ACTIONS: Final = 20
_MESSAGES: Final = 10


async def show(visit: Visit) -> Response:
    """Show a group.

    Raises:
        PageProblem: 404: there is no such group.
        HistoryUnavailableError: The history's database did not answer.
    """
    name = visit.query.get("period", "")
    period = Period.of(name if name in PERIODS else "7d")
    group = await group_of(visit, period)
    rows, actions = await asyncio.gather(_rows(visit, group), _actions(visit, group))
    runs = [each.run for each in rows]
    return visit.render(
        "error.html",
        row=GroupRow.of(group),
        group=group,
        rows=rows,
        names_tasks=True,
        newest=runs[0] if runs else None,
        messages=list(dict.fromkeys(run.error.message for run in runs if run.error))[:_MESSAGES],
        actions=actions,
        period=period,
        periods=[(each, period_words(each)) for each in PERIODS],
    )


async def group_of(visit: Visit, period: Period | None = None) -> ErrorGroup:
    """Return the group of the address, with its counts of a period.

    Raises:
        PageProblem: 404: there is no such group.
    """
    group_id, engine = visit.path["group_id"], visit.engine
    chosen = period or Period.of("30d")
    group = await asyncio.to_thread(engine.errors.find, group_id, chosen.since, chosen.until, 48)
    if group is not None:
        return group
    is_kept = await asyncio.to_thread(engine.activity.is_kept)
    text = f"No failure has the fingerprint {group_id[:100]!r}." if is_kept else NO_HISTORY
    raise PageProblem(404, "There is no such error", text, "Groups are kept as long as runs are.")


def failed_runs(group: ErrorGroup) -> RunFilter:
    """Return the filter of the runs that a group's error ended."""
    return RunFilter(fingerprint=group.id)


async def _rows(visit: Visit, group: ErrorGroup) -> Sequence[RunRow]:
    return await run_rows(visit.engine, (await visit.engine.runs.alist(_RUNS, failed_runs(group))).runs)


async def _actions(visit: Visit, group: ErrorGroup) -> Sequence[AuditEntry]:
    try:
        return await asyncio.to_thread(visit.engine.audit.list, _ACTIONS, action="error", target=group.id)
    except HistoryUnavailableError:
        return ()
