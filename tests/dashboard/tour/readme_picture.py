"""Takes the picture of the README, in both themes: ``python -m tests.dashboard.tour.readme_picture FOLDER``.

An order's carrier does not answer at first; then stock is reserved, labels are drawn by two child runs, and the run
waits for the customs. It goes on in real time, and takes about half a minute.
"""

import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from taskflow import RunStatus
from tests.dashboard.tour.shop import PASSWORD, Shop
from tests.support.browser import Scheme, Visit, chromium
from tests.support.servers import RedisServer, find_valkey

SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
_WIDTH: Final = 1600
_HEIGHT: Final = 1068
_PACE: Final = 0.5
"""Seconds of one piece of work: the carrier takes five of them, as its error says."""


def main(folder: Path) -> None:
    """Write ``run-page-light.png`` and ``run-page-dark.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        store = RedisServer(home, find_valkey(), name="Valkey")
        store.start()
        shop = Shop(home, store.url, f"sqlite:///{home / 'history.db'}")
        try:
            shop.open()
            for path in _take(shop, folder):
                Console().print(f"{path}: {path.stat().st_size / 1000:.0f} KB")
        finally:
            shop.close()
            store.close()


def _take(shop: Shop, folder: Path) -> list[Path]:
    run_id = shop.order(pace=_PACE)
    shop.until(run_id, RunStatus.WAITING)
    shop.token_of("o_48213")
    with chromium() as browser:
        visit = Visit(browser, _WIDTH)
        visit.page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
        visit.sign_in(shop.address(f"runs/{run_id}"), "ana", PASSWORD)
        visit.page.wait_for_selector(".trace .folded")
        paths: list[Path] = []
        for scheme in SCHEMES:
            visit.page.emulate_media(color_scheme=scheme)
            path = folder / f"run-page-{scheme}.png"
            visit.page.screenshot(path=path)
            paths.append(path)
        assert visit.faults == [], visit.faults
    return paths


if __name__ == "__main__":
    main(Path(sys.argv[1]))
