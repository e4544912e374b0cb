"""The example of a shop as its README starts it: a web server and a worker, driven over HTTP."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from taskflow import RunFilter
from tests.integration.django.conftest import VERSIONS
from tests.support.django_site import DjangoSite
from tests.support.fleet import ROOT
from tests.support.newer_django import installed_django, newer_python
from tests.support.processes import tail
from tests.support.servers import HOST, RedisServer, free_port
from tests.support.waiting import wait_until

SHOP = ROOT / "examples" / "django_shop"
SERVERS = {
    "runserver": ("manage.py", "runserver", "--noreload", f"{HOST}:{{port}}"),
    "uvicorn": ("-m", "uvicorn", "shop.asgi:application", "--host", HOST, "--port", "{port}"),
}


class Shop:
    """A shop with its worker, a web server, and a browser on it."""

    def __init__(self, site: DjangoSite) -> None:
        self.site, self.client = site, httpx.Client(timeout=10)
        site.call("manage.py", "migrate", "-v", "0")
        site.start_worker("manage.py", "taskflow", "worker", "--concurrency", "2", nodes=1)

    def serve(self, server: str) -> None:
        """Start a web server and visit it."""
        port = free_port()
        web = self.site.start(server, *(word.format(port=port) for word in SERVERS[server]))
        self.client.base_url = f"http://{HOST}:{port}"

        def answers() -> bool:
            assert web.poll() is None, tail(self.site.log(server))
            try:
                return self.client.get("/").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, "the web server to answer", timeout=30)

    def order(self, **fields: str) -> httpx.Response:
        """Fill in the form and send it, as a browser does."""
        form = self.client.get("/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        assert token
        filled = {"email": "ada@example.com", "quantity": "2", "card": "4242", "csrfmiddlewaretoken": token[1]}
        return self.client.post("/", data=filled | fields)

    def finished(self, place: str) -> dict[str, Any]:
        """Return the JSON of an order whose run has ended."""
        address = f"{place.rstrip('/')}.json"

        def is_finished() -> bool:
            return bool(self.client.get(address).json()["is_finished"])

        wait_until(is_finished, f"{place} to end", timeout=30)
        found: dict[str, Any] = self.client.get(address).json()
        return found


@pytest.fixture(params=VERSIONS)
def shop(request: pytest.FixtureRequest, tmp_path: Path, valkey: RedisServer, forked_sites: None) -> Iterator[Shop]:
    """A shop with a worker. With the installed Django every process is an interpreter, as its README starts it."""
    here = request.param == installed_django()
    python = sys.executable if here else newer_python()
    database = str(tmp_path / "site.sqlite3")
    site = DjangoSite(tmp_path, valkey, site=SHOP, python=python, forks=not here, SHOP_DATABASE=database)
    opened = Shop(site)
    yield opened
    opened.client.close()
    site.close()


@pytest.mark.timeout(180)
def test_an_order_is_confirmed_refused_or_never_made(shop: Shop) -> None:
    """As its run says, whose id the order has from the first; a rolled back order has no run. By WSGI and by ASGI."""
    made: set[str] = set()
    for server in SERVERS:
        shop.serve(server)
        placed = shop.order()
        assert placed.status_code == 302, placed.text
        confirmed = shop.finished(placed.headers["location"])
        assert (confirmed["status"], confirmed["run"]) == ("confirmed", "COMPLETED")
        page = shop.client.get(placed.headers["location"]).text
        assert '<b id="status">confirmed</b>' in page

        refused = shop.finished(shop.order(quantity="101").headers["location"])
        assert (refused["status"], refused["run"], refused["reason"]) == ("sold out", "FAILED", "only 100 in stock")

        declined = shop.order(card="declined")
        assert declined.status_code == 402
        assert "Nothing was ordered" in declined.text
        assert shop.order(email="nobody").status_code == 422
        made |= {confirmed["run_id"], refused["run_id"]}
        assert shop.client.get("/orders.json").json() == {"orders": len(made)}
        assert {run.id for run in shop.site.flow.engine.runs.find(RunFilter())} == made
    assert len(made) == 2 * len(SERVERS)
