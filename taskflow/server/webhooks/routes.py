"""The routes of webhooks. They need no key: a delivery is verified by its source."""

from typing import Final

from taskflow.seams.webhooks import WEBHOOKS_PATH
from taskflow.server.route import OPEN, ApiRoute
from taskflow.server.webhooks.ingress import receive, subscribe

_PATH: Final = f"{WEBHOOKS_PATH}/{{endpoint}}"

ROUTES: Final = (
    ApiRoute("POST", _PATH, receive, "Take a delivery of a webhook.", OPEN, is_hidden=True),
    ApiRoute("GET", _PATH, subscribe, "Answer the challenge of a webhook's source.", OPEN, is_hidden=True),
)
