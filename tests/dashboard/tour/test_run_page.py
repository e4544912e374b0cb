"""The page of a run in Chromium: watched from its begin to its end, and canceled."""

import pytest

from taskflow import RunStatus
from tests.dashboard.tour.shop import Shop
from tests.support.browser import Visit
from tests.support.waiting import wait_until

_MARK = "document.body.dataset.mark = 'the document that was loaded'"
_MARKED = "document.body.dataset.mark === 'the document that was loaded'"


@pytest.mark.timeout(90)
def test_a_run_is_watched_to_its_end_without_a_reload(shop: Shop, visit: Visit) -> None:
    """A failed attempt, its delay, children, log lines, a step and a wait appear as they happen."""
    page = visit.page
    run_id = shop.order(order_id="o_555", pace=0.2)
    page.goto(shop.address(f"runs/{run_id}"))
    page.evaluate(_MARK)
    trace = page.locator("#trace")
    for seen in ("Attempt 1", "CarrierTimeoutError", "Retry delay", "Attempt 2", "reserve-stock", "label-render"):
        where = page.locator("body") if seen == "CarrierTimeoutError" else trace
        where.get_by_text(seen).first.wait_for()
    page.locator("#summary .now", has_text="customs-approval").wait_for()
    trace.get_by_text("customs-approval").first.wait_for()
    trace.get_by_text("randomized").first.wait_for()
    token = shop.token_of("o_555")
    shop.do(lambda engine: engine.tokens.complete(token, b'{"approved": true, "note": "papers seen"}'))
    page.wait_for_selector("#summary .pill[data-status=COMPLETED]")
    trace.get_by_text("Handed to the carrier").wait_for()
    page.wait_for_selector("#actions:not(:has([data-dialog=cancel-run]))")
    page.locator("#inspect").get_by_text("18.40").wait_for()
    rows = trace.inner_text()
    for text in (
        "Order o_555: 2 parcels to CH",
        "DHL did not answer",
        "carrier.quote",
        "prepare",
        "tell",
        "Customs: approved",
    ):
        assert text in rows
    assert trace.locator("a.name.code", has_text="label-render").count() == 2
    assert trace.locator("[data-open]").count() == 0
    assert page.evaluate(_MARKED)
    assert shop.status(run_id) is RunStatus.COMPLETED


@pytest.mark.timeout(60)
def test_a_run_is_canceled_from_its_page(shop: Shop, visit: Visit) -> None:
    """A question comes first, and the page shows the end without a reload."""
    page = visit.page
    run_id = shop.trigger("email-send", {"seconds": 600})
    shop.until(run_id, RunStatus.WAITING)
    page.goto(shop.address(f"runs/{run_id}"))
    page.evaluate(_MARK)
    page.click("[data-dialog=cancel-run]")
    page.fill("dialog:modal [name=reason]", "sent twice")
    page.click("dialog:modal .danger-solid")
    page.wait_for_selector("#summary .pill[data-status=CANCELED]")
    assert page.evaluate(_MARKED)
    assert shop.status(run_id) is RunStatus.CANCELED
    # The stream tells of the end before the action's request, whose action is kept last, is answered.
    kept = wait_until(lambda: shop.do(lambda engine: engine.audit.list(action="run", target=run_id)), "its action")
    assert [(entry.actor, entry.action, entry.reason) for entry in kept] == [("ana", "run.cancel", "sent twice")]


@pytest.mark.timeout(60)
def test_bars_of_a_run_that_waits_end_at_now(shop: Shop, visit: Visit) -> None:
    """Folded idle time does not grow: behind it the axis has room for the word now."""
    page = visit.page
    run_id = shop.trigger("email-send", {"seconds": 600})
    shop.until(run_id, RunStatus.WAITING)
    page.goto(shop.address(f"runs/{run_id}"))
    page.wait_for_selector("text.now-label", state="attached", timeout=30_000)
    page.evaluate("document.querySelector('[data-open]').setAttribute('width', '1%')")
    page.wait_for_function("() => document.querySelector('[data-open]').getAttribute('width') !== '1%'")
    ends = "[...document.querySelectorAll('[data-open]')].map((bar) => bar.x.baseVal.valueInSpecifiedUnits + "
    ends += "bar.width.baseVal.valueInSpecifiedUnits)"
    assert [round(end) for end in page.evaluate(ends)] == [95] * page.locator("[data-open]").count()
    shop.do(lambda engine: engine.runs.cancel(run_id))


@pytest.mark.timeout(60)
def test_the_arrows_of_a_runs_head_lead_along_its_list(shop: Shop, visit: Visit) -> None:
    """The list is the one that was looked at last in this window, with its filters."""
    page = visit.page
    page.goto(shop.address("runs?task=label-render&status=COMPLETED&period=7d"))
    listed = page.locator("tbody .row-link")
    addresses = [listed.nth(index).get_attribute("href") for index in (3, 4)]
    page.goto(f"{shop.server.url}{addresses[0]}")
    page.click("[data-way=older]")
    page.wait_for_url(f"{shop.server.url}{addresses[1]}")
    page.click("[data-way=newer]")
    page.wait_for_url(f"{shop.server.url}{addresses[0]}")
