"""Runs in a browser: a time is dragged on the strip, runs are walked by keyboard, a part of a trace is chosen."""

from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from taskflow.definition.calls.users import Role
from taskflow.server.dashboard.sign_in.passwords import hash_password
from tests.conftest import StartFleet
from tests.projects import fleet_tasks
from tests.support.api_server import ApiServer
from tests.support.browser import Visit, chromium
from tests.support.dashboard import PASSWORD, Dashboard
from tests.support.past_runs import keep_runs
from tests.support.servers import RedisServer


def chosen(address: str) -> tuple[datetime, datetime]:
    """Return the time that an address asks for."""
    query = parse_qs(urlsplit(address).query)
    return datetime.fromisoformat(query["from"][0]), datetime.fromisoformat(query["to"][0])


@pytest.mark.timeout(90)
def test_a_time_is_dragged_and_runs_are_walked_by_keyboard(
    start_fleet: StartFleet, valkey: RedisServer, tmp_path: Path
) -> None:
    """What one does with the pointer and with keys stands in the address."""
    fleet = start_fleet(valkey.url, database_url=f"sqlite:///{tmp_path}/history.db")
    keep_runs(Dashboard(fleet.flow), "past", completed=2, failed=1)
    fleet.flow.engine.users.add("ana", Role.ADMIN, hash_password(PASSWORD))
    older, newer = (fleet_tasks.echo.trigger(number, tags=["walked"]).id for number in range(2))
    server = ApiServer(fleet)
    server.start()
    try:
        with chromium() as browser:
            visit = Visit(browser, 1600)
            page = visit.page
            visit.sign_in(server.url, "ana", PASSWORD)
            strip = page.locator(".activity svg[data-drag]").bounding_box()
            assert strip is not None
            page.mouse.move(strip["x"] + strip["width"] / 2, strip["y"] + 20)
            page.mouse.down()
            page.mouse.move(strip["x"] + strip["width"], strip["y"] + 20, steps=4)
            assert page.locator(".activity rect.drag").count() == 1
            page.mouse.up()
            page.wait_for_url("**from=*")
            since, until = chosen(page.url)
            assert 11.5 < (until - since).total_seconds() / 3600 < 12.5
            assert page.locator(".chip", has_text="From").count() == 1

            page.goto(f"{server.url}/{fleet.environment}/runs?tag=walked")
            page.keyboard.press("j")
            page.keyboard.press("Enter")
            page.wait_for_url(f"**/runs/{newer}")
            page.keyboard.press("j")
            page.wait_for_url(f"**/runs/{older}")
            page.keyboard.press("k")
            page.wait_for_url(f"**/runs/{newer}")

            axis = page.locator(".trace-axis svg").bounding_box()
            assert axis is not None
            page.mouse.move(axis["x"] + axis["width"] * 0.25, axis["y"] + 10)
            page.mouse.down()
            page.mouse.move(axis["x"] + axis["width"] * 0.5, axis["y"] + 10, steps=4)
            page.mouse.up()
            page.wait_for_url("**from=*")
            since, until = chosen(page.url)
            assert since < until
            page.get_by_text("Whole time").click()
            page.wait_for_selector(".trace[data-grows]")
            page.keyboard.press("r")
            page.wait_for_url(f"**/test/t-echo?from={newer}")
            assert visit.faults == []
            visit.close()
    finally:
        server.close()
