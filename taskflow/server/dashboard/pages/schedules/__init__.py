"""The pages of schedules: all of them, one, and the form that makes and changes one."""

from typing import Final

from taskflow.server.dashboard.live.topic import Topic
from taskflow.server.dashboard.page import Page
from taskflow.server.dashboard.pages.schedules import editing, listing, one

TOPIC: Final[Topic] = listing.TOPIC
PAGES: Final[tuple[Page, ...]] = (*listing.PAGES, *editing.PAGES, *one.PAGES)
