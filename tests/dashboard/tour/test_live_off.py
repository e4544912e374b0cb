"""A server that has no stream for a page any more: the page says so, and loads its parts again by itself."""

import time

import pytest
from playwright.sync_api import Browser, Route

from tests.dashboard.tour.shop import PASSWORD, Shop
from tests.support.browser import Visit


@pytest.mark.timeout(60)
def test_a_page_without_a_stream_says_so_and_loads_its_parts_again(shop: Shop, tour_browser: Browser) -> None:
    """There are at most 500 streams in a process."""
    visit = Visit(tour_browser, 1600)
    visit.sign_in(shop.address("runs"), "ana", PASSWORD)
    page = visit.page
    page.route("**/live?*", lambda route: route.fulfill(status=503, body="too many"))
    page.goto(shop.address("queues"))
    page.wait_for_selector("[data-live][data-state=lost]")
    assert page.inner_text("[data-live]") == "Live is off: too many viewers"
    with page.expect_request(lambda request: request.headers.get("hx-target") == "div#overview", timeout=20_000):
        pass
    visit.close()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("late", ["hx-sse", "app"])
def test_a_page_is_live_although_one_of_its_scripts_comes_late(shop: Shop, tour_browser: Browser, late: str) -> None:
    """On a slow line the first script is there some time before the others."""
    visit = Visit(tour_browser, 1600)
    visit.sign_in(shop.address("runs"), "ana", PASSWORD)

    def wait(route: Route) -> None:
        time.sleep(0.7)
        route.continue_()

    visit.page.route(f"**/{late}.*js", wait)
    visit.page.goto(shop.address("queues"))
    visit.page.wait_for_selector("[data-live][data-state=live]:visible")
    visit.close()
