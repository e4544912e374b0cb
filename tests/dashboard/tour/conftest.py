"""One shop, one browser and one signed-in window for all tests of the tour."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from benchmarks.history_maker import made_history
from tests.dashboard.tour.shop import ENVIRONMENT, PASSWORD, Shop
from tests.support.browser import Visit, chromium
from tests.support.fleet import ROOT
from tests.support.servers import RedisServer, find_valkey

LIVE_RUNS: Final = 5000
PAST_RUNS: Final = int(os.environ.get("TOUR_RUNS", "100000"))
"""The runs of the history. ``make pictures`` has a million, which take two minutes to make."""
_CACHE: Final = ROOT / ".venv" / ".cache" / "histories"


def _history(folder: Path) -> Path:
    """Return a copy of a history of the last thirty days. It is made once a day."""
    newest = max((ROOT / "taskflow/history/migrations/versions").glob("v*.py")).stem
    kept = _CACHE / f"{newest}-{PAST_RUNS}.db"
    return Path(shutil.copy(made_history(kept, ENVIRONMENT, PAST_RUNS), folder / "history.db"))


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop, with a store of its own: other tests empty theirs."""
    folder = tmp_path_factory.mktemp("tour")
    store = RedisServer(folder, find_valkey(), name="Valkey")
    store.start()
    try:
        shop = Shop(folder, store.url, f"sqlite:///{_history(folder)}")
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
