"""The lines of the table of pages that are about webhooks."""

from typing import Final

from taskflow.server.dashboard.page import Page
from taskflow.server.dashboard.pages.webhooks import deliveries, signing, sources

TOPIC: Final = deliveries.TOPIC
PAGES: Final = (Page("webhooks/sources", sources.show), *deliveries.PAGES, *signing.PAGES)
