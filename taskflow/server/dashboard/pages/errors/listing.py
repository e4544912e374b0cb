"""The list of the groups of errors that failed in a period."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from taskflow.engine.engine import Engine
from taskflow.errors import HistoryUnavailableError
from taskflow.seams.error_groups import ErrorGroup, ErrorState
from taskflow.server.dashboard.view.links import url
from taskflow.server.dashboard.view.periods import Period, period_words
from taskflow.server.dashboard.visit import Visit

PERIODS: Final = ("24h", "7d", "30d")
VIEWS: Final = (("open", "Open"), ("new", "New"), ("muted", "Muted"), ("resolved", "Resolved"))
SORTS: Final = ("attempts", "runs", "first", "last")
NO_HISTORY: Final = "There is no history, so that nothing groups errors. Don't set TASKFLOW_DATABASE_URL to none."


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group as the list shows it. ``state``: ``new``, ``back`` or one of ``ErrorState``."""

    group: ErrorGroup
    state: str

    @classmethod
    def of(cls, group: ErrorGroup) -> "GroupRow":
        """Return the row of a group."""
        if group.is_new(datetime.now(UTC)):
            return cls(group, "new")
        if group.state is ErrorState.OPEN and group.came_back_at is not None:
            return cls(group, "back")
        return cls(group, group.state.value)

    @property
    def bars(self) -> Sequence[tuple[int, int]]:
        """The failed attempts, by part of the period."""
        return [(0, bar.failed) for bar in self.group.bars]

    @property
    def top(self) -> int:
        """The highest bar."""
        return max([1, *(bar.failed for bar in self.group.bars)])


async def show(visit: Visit) -> Response:
    """Show the groups that the address asks for."""
    name = visit.query.get("period", "")
    period = Period.of(name if name in PERIODS else "24h")
    groups, problem = await groups_of(visit.engine, period)
    rows = [GroupRow.of(group) for group in groups]
    view = visit.query.get("view", "open")
    return visit.render(
        "errors.html",
        rows=_sorted([row for row in rows if _is_in(row, view) and _matches(row.group, visit)], visit),
        views=[(each, words, sum(_is_in(row, each) for row in rows)) for each, words in VIEWS],
        view=view,
        problem=problem,
        period=period,
        periods=[(each, period_words(each)) for each in PERIODS],
        failed_runs=sum(group.runs for group in groups),
        total=len(groups),
        query=dict(visit.query),
        heads=_heads(dict(visit.query)),
    )


async def groups_of(engine: Engine, period: Period) -> tuple[Sequence[ErrorGroup], str]:
    """Return the groups of a period, and the reason why there are none, "" if they are known."""

    def read() -> tuple[Sequence[ErrorGroup], str]:
        if not engine.activity.is_kept():
            return (), NO_HISTORY
        return engine.errors.list(period.since, period.until), ""

    try:
        return await asyncio.to_thread(read)
    except HistoryUnavailableError as error:
        return (), str(error)


def _heads(query: Mapping[str, str]) -> Mapping[str, tuple[str, str]]:
    """Return the address of each order, and a mark at the one that is shown."""
    others = {key: value for key, value in query.items() if key != "sort"}
    now = query.get("sort", "last")
    return {name: (url("errors", **others, sort=name), "down" if name == now else "") for name in SORTS}


def _is_in(row: GroupRow, view: str) -> bool:
    if view == "open":
        return row.group.state is ErrorState.OPEN
    return row.state == view


def _matches(group: ErrorGroup, visit: Visit) -> bool:
    text, task = visit.query.get("q", "").strip().lower(), visit.query.get("task", "")
    return text in f"{group.type}: {group.message} {group.frame}".lower() and (not task or task in group.tasks)


def _sorted(rows: list[GroupRow], visit: Visit) -> list[GroupRow]:
    """Return rows in the order of the address: the newest failure first, or by attempts or runs."""
    match visit.query.get("sort", ""):
        case "attempts":
            return sorted(rows, key=lambda row: -row.group.attempts)
        case "runs":
            return sorted(rows, key=lambda row: -row.group.runs)
        case "first":
            return sorted(rows, key=lambda row: row.group.first_at, reverse=True)
        case _:
            return rows
