"""The route table: every path of the server, who may use it, what it takes and answers.

A new resource is a module of ``api/`` with a ``ROUTES`` of its own, and its name in ``ROUTES`` here.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from taskflow.server.api import (
    bulk_actions,
    deployments,
    documents,
    health,
    idempotency_keys,
    packets,
    public_tokens,
    queues,
    realtime,
    records,
    refusals,
    run_streams,
    schedules,
    tasks,
    wait_tokens,
)
from taskflow.server.api.batches import requests as batches
from taskflow.server.api.runs import lists, verbs
from taskflow.server.route import ApiRoute
from taskflow.server.webhooks import routes as webhooks

ROUTES: Final[tuple[ApiRoute, ...]] = (
    *tasks.ROUTES,
    *health.ROUTES,
    *webhooks.ROUTES,
    *documents.ROUTES,
    *public_tokens.ROUTES,
    *realtime.ROUTES,
    *run_streams.ROUTES,
    *wait_tokens.ROUTES,
    *idempotency_keys.ROUTES,
    *schedules.ROUTES,
    *batches.ROUTES,
    *queues.ROUTES,
    *lists.ROUTES,
    *verbs.ROUTES,
    *bulk_actions.ROUTES,
    *deployments.ROUTES,
    *refusals.ROUTES,
    *packets.ROUTES,
    *records.ROUTES,
)
"""In the order in which paths are tried: triggers first, because they are the most. One with a parameter that takes
slashes (``:path``) comes behind others that it would match."""


def by_path() -> Mapping[str, Sequence[ApiRoute]]:
    """Return the routes of each path, in the table's order.

    Raises:
        ValueError: Two routes have one path and method.
    """
    found: dict[str, list[ApiRoute]] = {}
    for route in ROUTES:
        others = found.setdefault(route.path, [])
        if any(other.method == route.method for other in others):
            raise ValueError(f"Two routes are {route.method} {route.path}.")
        others.append(route)
    return found
