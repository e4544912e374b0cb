"""The lines of the table of pages that are about one run."""

from typing import Final

from taskflow.definition.calls.users import Role
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.pages.run import actions, awaited, beside, show

PAGES: Final = (
    Page("runs/{run_id}", show.show),
    Page("runs/{run_id}/logs", show.logs),
    Page("runs/{run_id}/beside", beside.open_beside),
    Page("runs/{run_id}/{name}.json", show.document),
    Page("runs/{run_id}/token", awaited.open_token, Role.OPERATOR),
    action("runs/{run_id}/cancel", actions.cancel),
    action("runs/{run_id}/replay", actions.replay),
    action("runs/{run_id}/reschedule", actions.reschedule),
)
