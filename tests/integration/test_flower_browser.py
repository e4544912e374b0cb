"""The tab of runs in Chromium: it follows what happens, in both themes, wide and on a phone."""

from collections.abc import Callable, Iterator
from threading import Thread

import pytest
from playwright.sync_api import Browser

from taskflow import RunHandle
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.browser import Visit, chromium
from tests.support.flower import FlowerServer
from tests.support.servers import RedisServer

_ROWS = "#runs-rows tr"


@pytest.fixture
def tour_browser() -> Iterator[Browser]:
    """Chromium. The fixture's name sends all tests with one to one worker of a parallel run."""
    with chromium() as browser:
        yield browser


def aside(call: Callable[[], object]) -> None:
    """Call a function in a thread of its own: Playwright has an event loop in this one."""
    thread = Thread(target=call)
    thread.start()
    thread.join()


@pytest.mark.timeout(90)
def test_the_tab_shows_new_runs_by_itself_and_can_be_read(
    start_fleet: StartFleet, valkey: RedisServer, tour_browser: Browser
) -> None:
    """Nobody reloads it; names, sizes and widths are as those who cannot see well need them."""
    fleet = start_fleet(valkey.url)
    made: list[RunHandle[object]] = []

    def trigger() -> None:
        made.append(tasks.echo.trigger("one", delay="1h"))

    with FlowerServer(fleet) as flower:
        address = flower.url.replace("://", f"://{flower.auth[0]}:{flower.auth[1]}@")
        visit = Visit(tour_browser, 1280)
        visit.page.goto(f"{address}/workers")
        visit.page.click("text=Runs")
        visit.page.wait_for_selector("text=No run yet")
        aside(trigger)
        visit.page.wait_for_selector(f"{_ROWS}:has-text('{made[0].id[-8:]}')")
        aside(made[0].cancel)
        visit.page.wait_for_selector(f"{_ROWS}:has-text('CANCELED')")
        visit.look()
        visit.turn(1280, "dark")
        visit.look(is_whole=False)
        visit.turn(390, "light")
        visit.look(is_whole=False)
        visit.page.fill("#runs-task", "<img src=x onerror=alert(1)>")
        visit.page.click("text=Filter")
        visit.page.wait_for_selector("text=No run matches")
        assert visit.page.input_value("#runs-task") == "<img src=x onerror=alert(1)>"
        visit.close()
        assert [fault for fault in visit.faults if "color-contrast" not in fault] == []  # the greens are Flower's
