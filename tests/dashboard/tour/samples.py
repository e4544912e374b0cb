"""An address for every page of the table: what the shop has to show, and where."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from taskflow import RunStatus
from taskflow.definition.calls.batch_item import BatchOptions
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.engine.engine import Engine
from taskflow.server.dashboard.table import PAGES
from taskflow.store.operations.serving.bulk_actions import begin_bulk_action
from tests.dashboard.tour.shop import Shop
from tests.support.browser import Visit
from tests.support.waiting import wait_until

NOT_PAGES: Final = frozenset(
    {
        "runs/{run_id}/token",  # leads to tokens/{token_id}
        "schedules/preview",  # a part of schedules/new
        "runs/{run_id}/logs",  # a download
        "runs/{run_id}/{name}.json",  # a download
    }
)
"""Paths that answer a GET with something else than a page."""
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")


class Samples:
    """Things of each kind in a shop: made once, for the pages that show one of them."""

    def __init__(self, shop: Shop, visit: Visit) -> None:
        visit.page.goto(shop.address("webhooks/sources"))
        source = visit.page.get_attribute("[data-copy]", "data-copy") or ""
        shop.deliver(source, "72d3162e-cc78")
        delivery = shop.deliver(source, "72d3162e-cc79")
        shop.deliver(source, "72d3162e-cc80", event="ping")
        run_id = _make_runs(shop)
        batch = shop.do(_make_batch)
        schedule = shop.do(lambda engine: engine.schedules.create("report-send", _RULE)).id
        rule = shop.do(lambda engine: engine.alerts.create("queue_oldest", "webhook", _CHAT, names=["invoices"])).id
        shop.do(lambda engine: engine.api_keys.create("storefront"))
        shop.do(lambda engine: engine.queues.control("email", "override", 12))
        action = begin_bulk_action(_ACTION, "cancel", [RunFilter(task="no-such-task")], by="ana")
        shop.do(lambda _: shop.fleet.flow.store.run(action))
        token = shop.token_of("o_48213")
        group_id = wait_until(lambda: _group_id(shop), "a group of errors", timeout=30)
        node = shop.do(lambda engine: sorted(engine.nodes.list())[0])
        self.values: Mapping[str, str] = {
            "run_id": run_id,
            "action_id": _ACTION,
            "task_id": "order-fulfil",
            "group_id": group_id,
            "batch": batch,
            "queue": "invoices",
            "node": node,
            "schedule_id": schedule,
            "delivery_id": delivery,
            "token_id": token,
            "rule_id": rule,
        }
        self._queries: Mapping[str, str] = {
            "batches-act": f"?batch={batch}&kind=cancel",
            "queues-pause": "?queue=invoices",
            "queues-limit": "?queue=invoices",
            "workers-drain": f"?node={quote(node)}",
        }
        """What the questions that are pages of their own are about."""

    def pages(self) -> Sequence[tuple[str, str]]:
        """Return name and path of every page, with the parameters filled in."""
        paths = [page.path for page in PAGES if page.method == "GET" and not page.is_stream]
        unknown = NOT_PAGES.difference(paths)
        assert not unknown, f"no paths of the table: {unknown}"
        return [(_name(path), self._filled(path)) for path in paths if path not in NOT_PAGES]

    def _filled(self, path: str) -> str:
        missing = [name for name in _PARAMETER.findall(path) if name not in self.values]
        assert not missing, f"{path} has no sample: add {missing} to Samples, or the path to NOT_PAGES"
        return _PARAMETER.sub(lambda match: quote(self.values[match[1]]), path) + self._queries.get(path, "")


_ACTION: Final = f"bulk_{'a' * 32}"
_CHAT: Final = "https://chat.example/hooks/shop"
_RULE: Final = ScheduleOptions.checked(cron="0 9 * * mon", timezone="Europe/Zurich", external_id="keller")


def _name(path: str) -> str:
    """Return the name of a page's pictures: ``runs/{run_id}`` is ``runs-one``."""
    return _PARAMETER.sub("one", path).replace("/", "-")


def _make_runs(shop: Shop) -> str:
    """Make runs of every kind. Return one that has retried, called others, and waits for a person."""
    run_id = shop.order()
    for number in range(3):
        shop.trigger("label-render", {"is_down": True, "order_id": f"o_{number}"}, tags=["carrier:ups"])
    shop.trigger("invoice-render", {"order_id": "o_48213"}, test=True, tags=["customer:10233"])
    shop.trigger("invoice-render", {"order_id": "o_48214"}, delay="2h")
    shop.trigger("email-send", {"seconds": 600}, tags=["customer:10233"])
    shop.trigger("not-registered", {"n": 1})
    shop.until(run_id, RunStatus.WAITING)
    return run_id


def _make_batch(engine: Engine) -> str:
    items = [{"order_id": f"o_{number}", "pages": number} for number in range(5)]
    options = BatchOptions.checked()
    return engine.batches.trigger("invoice-render", [*items, {"pages": 3, "seconds": 600}], options).batch_id


def _group_id(shop: Shop) -> str:
    return next((each.id for each in shop.newest_groups() if each.runs), "")
