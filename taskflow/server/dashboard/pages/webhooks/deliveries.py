"""Webhook deliveries and their outcomes, and one with its checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.responses import Response

from taskflow.definition.webhooks.deliveries import Delivery, DeliveryStatus, WebhookEndpoint
from taskflow.engine.engine import Engine
from taskflow.errors import DeliveryNotFoundError
from taskflow.seams.webhooks import DeliveryQuery
from taskflow.server.bodies import is_json
from taskflow.server.dashboard.hidden_deliveries import shown_delivery
from taskflow.server.dashboard.live.polled import polled_by_query
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.pages.webhooks.sources import read_endpoints
from taskflow.server.dashboard.run_states import states_of
from taskflow.server.dashboard.view.numbers import counted, size
from taskflow.server.dashboard.visit import Visit

_A_PAGE: Final = 50
_VIEWS: Final = (("", "All"), ("ACCEPTED", "Accepted"), ("FILTERED", "Filtered"))


@dataclass(frozen=True, slots=True)
class Check:
    """A check of a delivery, in the order in which they were made.

    Attributes:
        found: The outcome, in words.
        is_passed: False for the one at which the delivery ended.
    """

    name: str
    found: str
    is_passed: bool = True


async def show(visit: Visit) -> Response:
    """Show a page of deliveries, newest first. A part of it says how many are newer than those on a page."""
    wanted, since = _wanted(visit.query), visit.query.get("since", "")
    found = await visit.engine.webhooks.alist(wanted)
    states = await states_of(visit.engine, [] if visit.target == "news" else [each.run_id for each in found])
    newest = found[0].id if found else ""
    return visit.render(
        "deliveries.html",
        deliveries=found.deliveries,
        states=states,
        older=found.cursor,
        cursor=wanted.cursor,
        wanted=wanted.status or "",
        task=wanted.task_id or "",
        views=_VIEWS,
        live_query=urlencode({"status": wanted.status or "", "task": wanted.task_id or ""}),
        newest=since or newest,
        news=_newer(found.deliveries, since) if visit.target == "news" else 0,
    )


async def show_one(visit: Visit) -> Response:
    """Show a delivery: its checks, headers, body, and the runs that it has made."""
    delivery = shown_delivery(await visit.engine.webhooks.aretrieve(visit.path["delivery_id"]))
    endpoints = await read_endpoints(visit)
    endpoint = next((each for each in endpoints if each.task == delivery.task_id), None)
    runs = _runs_of(delivery)
    return visit.render(
        "delivery.html",
        delivery=delivery,
        checks=checks_of(delivery, endpoint),
        runs=runs,
        states=await states_of(visit.engine, runs),
        is_json=delivery.body is not None and is_json(delivery.body),
        body=(delivery.body or "").encode(),
        live_query=urlencode({"one": delivery.id}),
    )


async def replay(visit: Visit) -> Response:
    """Make another run of a delivery, and open it."""
    run_id = await visit.engine.webhooks.areplay(visit.path["delivery_id"])
    visit.audit("delivery.replay", visit.path["delivery_id"])
    return visit.go("runs", run_id)


def checks_of(delivery: Delivery, endpoint: WebhookEndpoint | None) -> Sequence[Check]:
    """Return the checks that a delivery went through. Nothing of the secret is in them."""
    is_taken = delivery.status is DeliveryStatus.ACCEPTED
    events = ", ".join(endpoint.events) if endpoint and endpoint.events else ""
    times = counted(delivery.duplicates, "time")
    again = f"; it came {times} more, which made no run" if delivery.duplicates else ""
    event = f"{delivery.event_type or 'no name'}, the task takes {events or 'every event'}"
    checks = [
        Check("Address", f"That of {delivery.task_id}"),
        Check("Body", f"{size(delivery.size)}, within the limit"),
        Check("Sender", f"Verified as {delivery.source} over the raw body"),
        Check("Delivery id", f"{delivery.delivery_id}: seen for the first time{again}"),
        Check("Event", event, is_taken),
    ]
    return [*checks, Check("Run", f"Made: {(delivery.run_id or '')[-8:]}")] if is_taken else checks


def _wanted(query: QueryParams) -> DeliveryQuery:
    status, task = query.get("status", ""), query.get("task", "").strip()
    wanted = DeliveryStatus(status) if status in set(DeliveryStatus) else None
    return DeliveryQuery(task or None, wanted, _A_PAGE, query.get("cursor") or None)


async def _read(engine: Engine, query: QueryParams) -> object:
    """Return the ids of the newest deliveries, or one delivery with the states of its runs."""
    if delivery_id := query.get("one", ""):
        try:
            one = await engine.webhooks.aretrieve(delivery_id)
        except DeliveryNotFoundError:
            return None
        return one, await states_of(engine, _runs_of(one))
    return [each.id for each in await engine.webhooks.alist(_wanted(query))]


def _runs_of(delivery: Delivery) -> Sequence[str]:
    return [run_id for run_id in (delivery.run_id, *delivery.replays) if run_id]


def _newer(deliveries: Sequence[Delivery], since: str) -> int:
    ids = [each.id for each in deliveries]
    return ids.index(since) if since in ids else len(ids)


TOPIC: Final = polled_by_query("deliveries", timedelta(seconds=5), _read)
"""The page says how many deliveries are new when there are others."""

PAGES: Final = (
    Page("webhooks/deliveries", show),
    Page("webhooks/deliveries/{delivery_id}", show_one),
    action("webhooks/deliveries/{delivery_id}/replay", replay),
)
