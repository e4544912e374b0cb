"""Triggering by hand in Chromium: with a right payload, with a wrong one, and with that of another run."""

import json
import re

import pytest

from taskflow import RunStatus
from tests.dashboard.tour.shop import ORDER, Shop
from tests.support.browser import Visit


@pytest.mark.timeout(60)
def test_a_right_payload_is_triggered_and_its_run_opens(shop: Shop, visit: Visit) -> None:
    """The form writes into the JSON beside it, and that is what is sent."""
    page = visit.page
    page.goto(shop.address("test/email-send"))
    page.fill("[data-at='/order_id']", "o_77")
    page.fill("[data-at='/seconds']", "0.05")
    page.wait_for_function("() => document.getElementById('payload').value.includes('0.05')")
    page.click("#trigger")
    page.wait_for_url(re.compile(r"/runs/run_\w+$"))
    run_id = page.url.rpartition("/")[2]
    page.wait_for_selector("#summary [data-status=COMPLETED]")
    run = shop.run(run_id)
    assert run.payload == {"order_id": "o_77", "seconds": 0.05}
    assert run.is_test
    assert "ana" in page.inner_text(".facts")


@pytest.mark.timeout(60)
def test_a_wrong_payload_shows_its_faults_at_their_fields_and_triggers_nothing(shop: Shop, visit: Visit) -> None:
    """Each fault is at its field, at its line of the JSON, and counted at the button."""
    page = visit.page
    before = shop.runs_of("order-fulfil")
    page.goto(shop.address("test/order-fulfil"))
    assert page.locator("[aria-invalid]").count() == 0
    payload = {**ORDER, "order_id": "48213", "parcels": [{"sku": "mug", "quantity": 0}]}
    page.fill("#payload", json.dumps(payload, indent=2))
    page.wait_for_selector("[data-at='/order_id'][aria-invalid]")
    page.click("#trigger")
    page.wait_for_function("() => document.activeElement.matches('[aria-invalid]')")
    assert page.get_attribute("[data-at='/parcels/0/quantity']", "aria-invalid") == "true"
    for field in ("/order_id", "/parcels/0/quantity"):
        described = page.get_attribute(f"[data-at='{field}']", "aria-describedby") or ""
        assert "should" in page.locator(f"[id='{described}']").inner_text()
    assert "2 faults: nothing is triggered" in page.inner_text("#verdict")
    assert "Line 2: order_id" in page.inner_text("#note")
    assert "/test/" in page.url
    assert shop.runs_of("order-fulfil") == before


@pytest.mark.timeout(60)
def test_a_run_is_replayed_with_another_payload(shop: Shop, visit: Visit) -> None:
    """The new run has the edited payload and the old run's tags, and names the old one."""
    page = visit.page
    old = shop.trigger("label-render", {"order_id": "o_1"}, tags=["customer:8"])
    shop.until(old, RunStatus.COMPLETED)
    page.goto(shop.address(f"runs/{old}"))
    page.click("text=Edit and replay")
    page.fill("[data-at='/order_id']", "o_2")
    page.wait_for_function("() => document.getElementById('payload').value.includes('o_2')")
    page.click("#trigger")
    page.wait_for_url(re.compile(rf"/runs/(?!{old})run_\w+$"))
    new = shop.run(page.url.rpartition("/")[2])
    assert (new.payload, new.tags, new.replay_of) == ({"order_id": "o_2"}, ("customer:8",), old)
    assert shop.run(old).payload == {"order_id": "o_1"}
