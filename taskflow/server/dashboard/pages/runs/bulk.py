"""Cancel or replay many runs: first a question that counts them, then the deed."""

from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

from starlette.datastructures import QueryParams
from starlette.responses import Response

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.models import RunStatus
from taskflow.server.dashboard.pages.runs.filters import RunQuery
from taskflow.server.dashboard.pages.runs.progress import begun
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.view.numbers import counted
from taskflow.server.dashboard.view.statuses import WORDS
from taskflow.server.dashboard.visit import Visit

Kind = Literal["cancel", "replay"]
_MOST_SELECTED: Final = 100


@dataclass(frozen=True, slots=True)
class Selection:
    """Runs by their ids, or all that match the filter of a page (``query``, as in its address)."""

    ids: tuple[str, ...]
    query: str = ""

    @property
    def where(self) -> RunFilter:
        """The filter."""
        return RunQuery.of(QueryParams(self.query)).where


async def ask(visit: Visit) -> Response:
    """Ask before runs are canceled or replayed, with their numbers."""
    kind, selection = _kind(visit), _selection(visit)
    statuses = await _statuses(visit, selection)
    total = sum(statuses.values())
    fitting = sum(count for status, count in statuses.items() if kind == "replay" or not status.is_finished)
    values = {
        "kind": kind,
        "selection": selection,
        "fitting": fitting,
        "others": total - fitting,
        "statuses": [(WORDS[status], count) for status, count in statuses.most_common()],
        "matching": RunQuery.of(QueryParams(selection.query)).in_words() if selection.query else "",
        "back": visit.form.get("back", ""),
    }
    return visit.dialog("runs_bulk.html", **values)


async def act(visit: Visit) -> Response:
    """Cancel or replay runs. Up to a hundred at once; more in the background."""
    kind, selection = _kind(visit), _selection(visit)
    reason = visit.form.get("reason", "")[:200]
    done = "canceled" if kind == "cancel" else "replayed"
    if selection.query:
        action_id = await visit.engine.bulk_actions.begin(kind, [selection.where])
        visit.audit(f"runs.{kind}", selection.query, reason)
        return await begun(visit, action_id)
    has_changed = True  # until it is known: the store may fail in between
    try:
        action = await visit.engine.runs.abulk(kind, selection.ids, None)
        has_changed = action.success > 0
    finally:
        for run_id in selection.ids if has_changed else ():
            visit.audit(f"run.{kind}", run_id, reason)
    refused = f"{counted(action.failure, 'run')} refused: they have ended." if action.failure else ""
    return visit.tell(f"{counted(action.success, 'run')} {done}", refused)


def _kind(visit: Visit) -> Kind:
    kind = visit.form.get("kind", "")
    if kind == "cancel":
        return "cancel"
    if kind != "replay":
        raise PageProblem(400, "Nothing has changed", "The form names no action.", "Choose Cancel or Replay.")
    return "replay"


def _selection(visit: Visit) -> Selection:
    if visit.form.get("all") == "1":
        selection = Selection((), visit.form.get("query", "") or "period=24h")
        if problem := RunQuery.of(QueryParams(selection.query)).problem:
            raise PageProblem(400, "Nothing has changed", problem)
        return selection
    ids = tuple(dict.fromkeys(visit.form.getlist("run")))
    if not 1 <= len(ids) <= _MOST_SELECTED:
        raise PageProblem(400, "Nothing has changed", "No run is selected.", "Select 1 to 100 runs.")
    return Selection(ids)


async def _statuses(visit: Visit, selection: Selection) -> Counter[RunStatus]:
    found: Counter[RunStatus] = Counter()
    if selection.query:
        counts = await visit.engine.runs.acount(["status"], selection.where)
        found.update({RunStatus(status): count for (status,), count in counts.items()})
        return found
    records = await visit.engine.feed().records.read_many(list(selection.ids))
    found.update(record.status for record in records)
    return found
