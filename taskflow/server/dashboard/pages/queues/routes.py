"""The lines of the table of pages that are about queues."""

from datetime import timedelta
from typing import Final

from taskflow.definition.calls.users import Role
from taskflow.server.dashboard.live.polled import polled
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.pages.queues import actions, one
from taskflow.server.dashboard.pages.queues.reads import read_queues
from taskflow.server.dashboard.pages.queues.show import show

TOPIC: Final = polled("queues", timedelta(seconds=2), read_queues)
"""The pages load their part again when anything about a queue has changed."""

PAGES: Final = (
    Page("queues", show),
    Page("queues-pause", actions.ask_pause, Role.OPERATOR),
    Page("queues-limit", actions.ask_limit, Role.OPERATOR),
    action("queues-pause", actions.pause),
    action("queues-resume", actions.resume),
    action("queues-limit", actions.limit),
    Page("queues/{queue:path}", one.show),
)
