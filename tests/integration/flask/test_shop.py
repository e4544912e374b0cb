"""The example shop in Flask: a real ASGI server, a real worker, and the dashboard beside the site."""

from pathlib import Path

import pytest

from taskflow import runs
from tests.support.processes import stop_group, tail
from tests.support.servers import RedisServer
from tests.support.shop_site import ShopSite
from tests.support.waiting import wait_until


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_orders_are_confirmed_and_the_dashboard_shows_their_runs(tmp_path: Path, valkey: RedisServer) -> None:
    """One that is rolled back makes no run. The server ends cleanly."""
    shop = ShopSite(tmp_path, valkey, "flask_shop", "--factory", "shop:create_server", forks=False)
    try:
        refused = shop.client.post("/orders", json={"email": "nobody"})
        assert refused.status_code == 422
        placed = shop.client.post("/orders", json={"email": "ada@example.com"})
        assert placed.status_code == 201, placed.text
        order = placed.json()
        address = f"/orders/{order['id']}"
        wait_until(lambda: shop.client.get(address).json()["run"] == "COMPLETED", "the run", timeout=60)
        assert shop.client.get(address).json()["status"] == "confirmed"
        shop.sign_in("/taskflow")
        page = shop.client.get(f"/taskflow/{shop.environment}/runs")
        assert page.status_code == 200
        assert order["run_id"] in page.text
        with shop.flow:
            assert [run.id for run in runs.list(limit=10)] == [order["run_id"]], "no run of the refused order"
        assert stop_group(shop.server) in (0, -15), tail(shop.log("server"))
        assert "Application shutdown complete" in shop.log("server").read_text()
    finally:
        shop.close()
