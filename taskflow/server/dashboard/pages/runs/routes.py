"""The lines of the table of pages that are about many runs."""

from typing import Final

from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.pages.runs import bulk, progress
from taskflow.server.dashboard.pages.runs.show import show

PAGES: Final = (
    Page("runs", show),
    action("runs/bulk", bulk.ask),
    action("runs/bulk/do", bulk.act),
    Page("runs/bulk/{action_id}", progress.show),
    action("runs/bulk/{action_id}/stop", progress.stop),
)
