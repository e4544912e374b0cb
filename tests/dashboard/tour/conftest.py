"""One shop, one browser and one signed-in window for all tests of the tour."""

import os
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser

from benchmarks.history_cache import copy_history, kept_history
from tests.dashboard.tour.shop import ENVIRONMENT, PASSWORD, Shop
from tests.support.browser import Visit, chromium
from tests.support.servers import RedisServer, find_valkey

LIVE_RUNS: Final = 5000
PAST_RUNS: Final = int(os.environ.get("TOUR_RUNS", "1000000"))
"""The runs of the history, which is made once a day: in 20 s of a processor."""


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop, with a store of its own: other tests empty theirs."""
    folder = tmp_path_factory.mktemp("tour")
    store = RedisServer(folder, find_valkey(), name="Valkey")
    store.start()
    try:
        history = copy_history(kept_history(ENVIRONMENT, PAST_RUNS), folder / "history.db")
        shop = Shop(folder, store.url, f"sqlite:///{history}")
        try:
            shop.open()
            shop.fill(LIVE_RUNS)
            yield shop
        finally:
            shop.close()
    finally:
        store.close()


@pytest.fixture(scope="package")
def tour_browser() -> Iterator[Browser]:
    """Chromium. Its name sends the tests of the tour to one worker of a parallel run."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def window(shop: Shop, tour_browser: Browser) -> Iterator[Visit]:
    """A wide window in which an administrator has signed in."""
    visit = Visit(tour_browser, 1600)
    visit.sign_in(shop.server.url, "ana", PASSWORD)
    yield visit
    visit.close()


@pytest.fixture
def visit(window: Visit) -> Iterator[Visit]:
    """The window, of which the test may not leave a fault."""
    window.faults.clear()
    yield window
    assert window.faults == []
