"""The addresses at which webhook tasks take deliveries."""

import asyncio
from collections.abc import Sequence

from starlette.responses import Response

from taskflow.definition.webhooks.deliveries import WebhookEndpoint
from taskflow.server.dashboard.visit import Visit


async def show(visit: Visit) -> Response:
    """Show the addresses at which webhook tasks take deliveries."""
    return visit.render("sources.html", endpoints=await read_endpoints(visit))


async def read_endpoints(visit: Visit) -> Sequence[WebhookEndpoint]:
    """Return the endpoints of the webhook tasks that this process has loaded."""
    return await asyncio.to_thread(visit.engine.webhooks.endpoints)  # it reads secrets, which is code of the user's
