"""What people do on the pages of queues, schedules, tokens and errors, in Chromium."""

import re

import pytest

from taskflow import RunStatus, TokenStatus
from taskflow.seams.error_groups import ErrorState
from tests.dashboard.tour.shop import Shop
from tests.support.browser import Visit
from tests.support.waiting import wait_until


@pytest.mark.timeout(60)
def test_a_queue_is_paused_and_resumed(shop: Shop, visit: Visit) -> None:
    """A paused queue starts no run, and says by whom and why it is paused."""
    page = visit.page
    shop.until(shop.trigger("email-send", {"seconds": 0}), RunStatus.COMPLETED)
    page.goto(shop.address("queues?q=email"))
    page.click("[aria-label='Pause email']")
    page.fill("dialog:modal [name=reason]", "the mail server is down")
    page.click("dialog:modal .primary")
    page.wait_for_selector("[aria-label='Resume email']")
    assert "Paused by ana" in page.inner_text("#rows")
    run_id = shop.trigger("email-send", {"seconds": 0})
    page.goto(shop.address(f"runs/{run_id}"))
    assert "the mail server is down" in page.inner_text("#summary .now")
    page.goto(shop.address("queues?q=email"))
    page.click("[aria-label='Resume email']")
    page.wait_for_selector("[aria-label='Pause email']")
    shop.until(run_id, RunStatus.COMPLETED)


@pytest.mark.timeout(60)
def test_a_schedule_is_made(shop: Shop, visit: Visit) -> None:
    """A wrong expression stands at its field; while one types, the next instants are shown."""
    page = visit.page
    page.goto(shop.address("schedules"))
    page.click("text=New schedule")
    page.fill("[name=task]", "report-send")
    page.fill("[name=cron]", "0 25 * * *")
    page.click("text=Make schedule")
    page.wait_for_selector("#e-cron")
    visit.forgive(422)
    page.fill("[name=cron]", "15 7 * * mon")
    page.fill("[name=timezone]", "Europe/Zurich")
    page.fill("[name=external_id]", "made-by-hand")
    page.click("text=Make schedule")
    page.wait_for_url(re.compile(r"/schedules/sched_\w+$"))
    made = shop.do(lambda engine: engine.schedules.retrieve(page_id(page.url)))
    assert (made.task_id, made.external_id) == ("report-send", "made-by-hand")
    assert "15 7 * * mon" in page.inner_text("main")


@pytest.mark.timeout(60)
def test_a_token_is_completed_by_hand_and_its_run_goes_on(shop: Shop, visit: Visit) -> None:
    """The form is made of the type that the run expects."""
    page = visit.page
    run_id = shop.order(order_id="o_901", pace=0.01)
    token = shop.token_of("o_901")
    page.goto(shop.address(f"runs/{run_id}"))
    page.click("text=Complete token")
    page.wait_for_url(re.compile(r"/tokens/"))
    assert "Langstrasse 84" in page.inner_text("main")
    page.locator("[data-at='/approved']").check(force=True)
    page.fill("[data-at='/note']", "papers seen")
    page.wait_for_function("() => /true[^]*papers seen/.test(document.getElementById('payload').value)")
    page.click("#trigger")
    page.wait_for_selector("main .pill[data-status=COMPLETED]")
    found = shop.do(lambda engine: engine.tokens.retrieve(token))
    assert (found.status, found.output) == (TokenStatus.COMPLETED, {"approved": True, "note": "papers seen"})
    shop.until(run_id, RunStatus.COMPLETED)


@pytest.mark.timeout(60)
def test_an_error_is_resolved(shop: Shop, visit: Visit) -> None:
    """It leaves the list of open ones, and its page says in which version."""
    page = visit.page
    shop.until(shop.trigger("stock-sync", schedule_payload("resolved-by-hand")), RunStatus.FAILED)
    page.goto(shop.address("errors"))
    wait_until(lambda: page.reload() and "warehouse" in page.inner_text("main"), "the group", timeout=30)
    page.click("a:has-text('AbortRun')")
    page.wait_for_url(re.compile(r"/errors/[0-9a-f]{16}$"))
    group_id = page_id(page.url)
    page.click("[data-dialog=resolve]")
    page.fill("dialog:modal [name=version]", "v2")
    page.click("dialog:modal .primary")
    page.wait_for_selector("text=Resolved in v2")
    assert {each.id: each.state for each in shop.newest_groups()}[group_id] is ErrorState.RESOLVED
    page.goto(shop.address("errors"))
    assert page.locator(f"a[href$='{group_id}']").count() == 0


def page_id(url: str) -> str:
    """Return the last part of an address."""
    return url.rpartition("/")[2]


def schedule_payload(external_id: str) -> dict[str, object]:
    """Return what a scheduled task takes."""
    return {
        "type": "IMPERATIVE",
        "timestamp": "2026-11-30T03:00:00Z",
        "last_timestamp": None,
        "timezone": "UTC",
        "schedule_id": "sched_by_hand",
        "external_id": external_id,
        "upcoming": [],
    }
