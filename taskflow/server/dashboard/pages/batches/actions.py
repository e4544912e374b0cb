"""Cancel what is left of a batch, or replay its failed runs. Both work in the background, part by part."""

from typing import Literal

from starlette.responses import Response

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.models import RunStatus
from taskflow.server.dashboard.pages.batches.show import ONE, known, values_of
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.shared_reads import forget_reads
from taskflow.server.dashboard.view.numbers import counted
from taskflow.server.dashboard.view.statuses import FAILURES
from taskflow.server.dashboard.visit import Visit


async def ask(visit: Visit) -> Response:
    """Ask before runs of a batch are canceled or replayed, with their number."""
    batch = await known(visit, visit.query.get("batch", ""))
    kind = _kind(visit.query.get("kind", ""))
    counts = batch.progress
    count = counts.total - counts.finished if kind == "cancel" else counts.failed
    return visit.dialog("batch_action.html", batch=batch, kind=kind, count=count)


async def act(visit: Visit) -> Response:
    """Cancel the runs of a batch that have not ended, or replay those that have failed."""
    batch = await known(visit, visit.form.get("batch", ""))
    kind = _kind(visit.form.get("kind", ""))
    statuses = [status for status in RunStatus if not status.is_finished] if kind == "cancel" else list(FAILURES)
    await visit.engine.bulk_actions.begin(kind, [RunFilter(batch=batch.id, status=statuses)], f"batch {batch.id}")
    visit.audit(f"batch.{kind}", batch.id, visit.form.get("reason", "")[:200])
    forget_reads(visit.engine)
    counts = batch.progress
    count = counts.total - counts.finished if kind == "cancel" else counts.failed
    done = "canceled" if kind == "cancel" else "replayed"
    title = f"{counted(count, 'run is', 'runs are')} being {done}"
    detail = "" if kind == "cancel" else "The new runs are not in the batch."
    return visit.parts(ONE, "batch", toast=title, detail=detail, **await values_of(visit, batch))


def _kind(given: str) -> Literal["cancel", "replay"]:
    if given == "cancel":
        return "cancel"
    if given == "replay":
        return "replay"
    raise PageProblem(400, "Nothing has changed", "The form names no action.", "Choose Cancel or Replay.")
