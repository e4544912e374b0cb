"""Every page of the table in Chromium, at two widths and in both themes."""

import os
from collections.abc import Sequence
from typing import Final

import pytest
from playwright.sync_api import Browser

from tests.dashboard.tour.samples import Samples
from tests.dashboard.tour.shop import Shop
from tests.support.browser import Scheme, Visit
from tests.support.fleet import ROOT

HAS_PICTURES: Final = os.environ.get("PICTURES") == "all"
PICTURES: Final = ROOT / "build" / "pictures"
WIDE: Final = 1600
VIEWS: Final[Sequence[tuple[int, Scheme]]] = ((WIDE, "light"), (390, "dark"))
MORE_VIEWS: Final[Sequence[tuple[int, Scheme]]] = ((WIDE, "dark"), (390, "light"))
MORE_WIDTHS: Final = (320, 900, 1280, 2560)
"""Those that only ``make pictures`` looks at. Of more widths it only asks that nothing scrolls sideways."""


@pytest.mark.timeout(900 if HAS_PICTURES else 300)
def test_every_page_is_whole_at_two_widths_in_both_themes(shop: Shop, visit: Visit) -> None:
    """No console message, no failed request, nothing wider than the window, and nothing serious that axe finds."""
    views = VIEWS
    for name, path in Samples(shop, visit).pages():
        visit.page.goto(shop.address(path))
        visit.page.wait_for_selector("h1")
        _look(visit, name, views)
        views = views[::-1]  # each page is loaded as the one before was left, because turning a window is slow
    visit.turn(WIDE, "light")


@pytest.mark.timeout(60)
def test_the_page_for_signing_in_is_whole(shop: Shop, tour_browser: Browser) -> None:
    """It is the first one that anybody sees, and has a frame of its own."""
    visit = Visit(tour_browser, WIDE)
    visit.page.goto(shop.address("runs"))
    visit.page.wait_for_selector("#pass")
    _look(visit, "signin", VIEWS)
    assert visit.faults == []
    visit.close()


def _look(visit: Visit, name: str, views: Sequence[tuple[int, Scheme]]) -> None:
    for width in MORE_WIDTHS if HAS_PICTURES else ():
        visit.turn(width, "light")
        visit.measure()
    for width, scheme in [*MORE_VIEWS, *views] if HAS_PICTURES else views:
        visit.turn(width, scheme)
        picture = PICTURES / f"{name}-{width}-{scheme}.png" if HAS_PICTURES else None
        visit.look(is_whole=(width, scheme) == VIEWS[0], picture=picture)
