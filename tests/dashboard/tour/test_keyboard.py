"""The dashboard by keyboard alone, and without script."""

import pytest
from playwright.sync_api import Browser

from taskflow import RunStatus
from tests.dashboard.tour.shop import PASSWORD, Shop
from tests.support.browser import Visit
from tests.support.waiting import wait_until


@pytest.mark.timeout(90)
def test_runs_are_watched_selected_and_canceled_by_keyboard_alone(shop: Shop, visit: Visit) -> None:
    """A row changes where it is, new runs are announced, and no reload is needed."""
    page = visit.page
    waiting = [shop.trigger("email-send", {"seconds": 600}, tags=["by-keyboard"]) for _ in range(2)]
    for each in waiting:
        shop.until(each, RunStatus.WAITING)
    page.goto(shop.address("runs?tag=by-keyboard"))
    page.wait_for_selector("[data-live][data-state=live]")
    late = shop.trigger("email-send", {"seconds": 0}, tags=["by-keyboard"])
    page.wait_for_selector("#news:not([hidden])")
    assert page.locator(f"#{late}").count() == 0
    for key in ("j", "x", "j", "Shift+X", "c"):
        page.keyboard.press(key)
    page.wait_for_selector("dialog:modal")
    assert "Cancel 2 runs?" in page.inner_text("dialog:modal")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast")
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    for run_id in waiting:
        page.wait_for_selector(f"#{run_id}[data-status=CANCELED]")
    page.keyboard.press(".")
    page.wait_for_selector(f"#{late}")
    assert {shop.status(each) for each in waiting} == {RunStatus.CANCELED}


@pytest.mark.timeout(60)
def test_the_trace_is_read_by_keyboard_alone(shop: Shop, visit: Visit) -> None:
    """Jump to a run, walk its rows, inspect the failed attempt, fold it."""
    page = visit.page
    run_id = shop.order(order_id="o_902", pace=0.01)
    shop.until(run_id, RunStatus.WAITING)
    page.goto(shop.address("tasks"))
    page.keyboard.press("Control+k")
    page.keyboard.type(run_id)
    page.wait_for_selector("#found a")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=treegrid]")
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#inspect >> text=CarrierTimeoutError")
    shown = page.locator(".trace-row:not([hidden])").count()

    def fold() -> bool:  # an update of the trace may take the focus from its row
        page.keyboard.press("a")
        page.keyboard.press("ArrowLeft")
        return page.locator(".trace-row:not([hidden])").count() < shown

    wait_until(fold, "an attempt to be folded", interval=0.5)
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_selector("h1:has-text('Queues')")


@pytest.mark.timeout(60)
def test_the_pages_work_without_script(shop: Shop, tour_browser: Browser) -> None:
    """Links and forms do the work: filter, open, select, confirm, cancel."""
    waiting = shop.trigger("email-send", {"seconds": 600}, tags=["by-hand"])
    shop.until(waiting, RunStatus.WAITING)
    visit = Visit(tour_browser, 1600, has_script=False)
    visit.sign_in(shop.address("runs"), "ana", PASSWORD)
    page = visit.page
    page.fill("input[name=q]", "tag:by-hand")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#{waiting}")
    page.check(f"#{waiting} input[name=run]")
    page.click("#bulk [value=cancel]")
    page.click("dialog .danger-solid")
    page.wait_for_selector(f"#{waiting}[data-status=CANCELED]")
    assert shop.status(waiting) is RunStatus.CANCELED
    assert visit.faults == []
    visit.close()
