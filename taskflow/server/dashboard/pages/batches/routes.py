"""The lines of the table of pages that are about batches."""

from datetime import timedelta
from typing import Final

from starlette.datastructures import QueryParams

from taskflow.definition.calls.users import Role
from taskflow.engine.engine import Engine
from taskflow.server.dashboard.live.polled import polled_by_query
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.pages.batches import actions, show
from taskflow.server.dashboard.pages.batches.rows import BatchRow, batch_rows
from taskflow.texts import is_possible_id


async def _read(engine: Engine, query: QueryParams) -> list[BatchRow]:
    """Return what a page shows: one batch, or those at a cursor."""
    if batch_id := query.get("batch"):
        return await batch_rows(engine, [batch_id] if is_possible_id(batch_id) else [])
    ids, _ = await engine.batch_pages.apage(show.PAGE, query.get("cursor", ""))
    return await batch_rows(engine, ids)


TOPIC: Final = polled_by_query("batches", timedelta(seconds=5), _read)
"""The pages load their part again when the batches that they show have changed."""

PAGES: Final = (
    Page("batches", show.show),
    Page("batches-act", actions.ask, Role.OPERATOR),
    action("batches-act", actions.act),
    Page("batches/{batch}", show.show_one),
)
