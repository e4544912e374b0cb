"""The page of all batches and the page of one."""

from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.errors import BatchNotFoundError
from taskflow.models import Batch
from taskflow.server.dashboard.pages.batches.rows import BatchRow, batch_rows, read_batch, row_of
from taskflow.server.dashboard.pages.runs.rows import run_rows
from taskflow.server.dashboard.visit import Visit
from taskflow.texts import is_possible_id

TEMPLATE: Final = "batches.html"
ONE: Final = "batch.html"
PAGE: Final = 20
_RUNS: Final = 25
_ERRORS: Final = 50
_VIEWS: Final = ("live", "failed")


async def show(visit: Visit) -> Response:
    """Show a page of batches, newest first. An id that is searched opens its batch."""
    text = visit.query.get("q", "").strip()
    if text.startswith("batch_") and await _exists(visit, text):
        return visit.go("batches", text)
    view = visit.query.get("view", "")
    cursor = visit.query.get("cursor", "")
    ids, older = await visit.engine.batch_pages.apage(PAGE, cursor)
    rows = await batch_rows(visit.engine, ids)
    return visit.render(
        TEMPLATE,
        rows=[row for row in rows if _is_wanted(row, view, text)],
        is_filtered=bool(text or view in _VIEWS),
        text=text,
        view=view if view in _VIEWS else "",
        cursor=cursor,
        older=older,
        live_query=urlencode({"cursor": cursor}) if cursor else "",
    )


async def show_one(visit: Visit) -> Response:
    """Show one batch, or one part of its page."""
    return visit.render(ONE, 200, **await values_of(visit, await known(visit, visit.path["batch"])))


async def known(visit: Visit, batch_id: str) -> Batch:
    """Return a batch.

    Raises:
        BatchNotFoundError: No such batch.
    """
    if not is_possible_id(batch_id):
        raise BatchNotFoundError(batch_id)
    return await read_batch(visit.engine, batch_id)


async def values_of(visit: Visit, batch: Batch) -> dict[str, object]:
    """Return the values of the page of one batch."""
    runs, has_more = await visit.engine.pages.apage([RunFilter(batch=batch.id)], _RUNS, None)
    counts = batch.progress
    return {
        "batch": batch,
        "row": await row_of(visit.engine, batch),
        "errors": batch.errors[:_ERRORS],
        "rows": await run_rows(visit.engine, runs),
        "has_more": has_more,
        "left": counts.total - counts.finished,
        "live_query": urlencode({"batch": batch.id}),
    }


async def _exists(visit: Visit, batch_id: str) -> bool:
    try:
        await known(visit, batch_id)
    except BatchNotFoundError:
        return False
    return True


def _is_wanted(row: BatchRow, view: str, text: str) -> bool:
    if text and not any(text.lower() in (each or "").lower() for each in (row.id, row.task, row.key)):
        return False
    return row.is_live if view == "live" else bool(row.failed or row.refused) if view == "failed" else True
