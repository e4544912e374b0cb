"""The table of pages: every path of the dashboard, and the least role that may use it; and the topics of live updates.

A new page is a module of ``pages/`` with a ``PAGES`` of its own, and its name here.
"""

from typing import Final

from taskflow.server.dashboard.live import nav
from taskflow.server.dashboard.live.stream import LiveStreams
from taskflow.server.dashboard.live.topic import Topic
from taskflow.server.dashboard.page import Page
from taskflow.server.dashboard.pages import alerts, jump, keys, schedules, tokens
from taskflow.server.dashboard.pages import test as test_page
from taskflow.server.dashboard.pages.batches import routes as batches
from taskflow.server.dashboard.pages.errors import routes as errors
from taskflow.server.dashboard.pages.queues import routes as queues
from taskflow.server.dashboard.pages.run import live as run_live
from taskflow.server.dashboard.pages.run import routes as run
from taskflow.server.dashboard.pages.runs import live as runs_live
from taskflow.server.dashboard.pages.runs import routes as runs
from taskflow.server.dashboard.pages.tasks import routes as tasks
from taskflow.server.dashboard.pages.webhooks import routes as webhooks
from taskflow.server.dashboard.pages.workers import routes as workers

TOPICS: Final[tuple[Topic, ...]] = (
    nav.TOPIC,
    runs_live.TOPIC,
    run_live.TOPIC,
    tasks.TOPIC,
    batches.TOPIC,
    errors.TOPIC,
    queues.TOPIC,
    schedules.TOPIC,
    webhooks.TOPIC,
    tokens.TOPIC,
    workers.TOPIC,
)
"""The topics that pages may follow: ``{{ live("runs:" ~ query) }}`` in a template opens a stream of them."""

PAGES: Final[tuple[Page, ...]] = (
    Page("live", LiveStreams(TOPICS).open, is_stream=True),
    *jump.PAGES,
    *runs.PAGES,
    *run.PAGES,
    *test_page.PAGES,
    *tasks.PAGES,
    *errors.PAGES,
    *batches.PAGES,
    *queues.PAGES,
    *workers.PAGES,
    *schedules.PAGES,
    *webhooks.PAGES,
    *tokens.PAGES,
    *alerts.PAGES,
    *keys.PAGES,
)
"""In the order in which paths are tried: ``runs/new`` comes before ``runs/{run_id}``."""
