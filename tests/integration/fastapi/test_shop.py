"""The example shop in FastAPI: a real server, a real worker, events of runs and the dashboard mounted."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import tail
from tests.support.servers import RedisServer
from tests.support.shop_site import ShopSite
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def shop(tmp_path: Path, valkey: RedisServer, forked_sites: None) -> Iterator[ShopSite]:
    """The shop, with one open stream at most."""
    made = ShopSite(tmp_path, valkey, "fastapi_shop", "shop:app", TASKFLOW_SERVER_STREAMS="1")
    yield made
    made.close()


def place(shop: ShopSite, items: int = 3) -> str:
    """Place an order and return the id of its run."""
    order = {"email": "ada@example.com", "items": [f"item {number}" for number in range(items)]}
    placed = shop.client.post("/orders", json=order)
    assert placed.status_code == 202, placed.text
    run_id: str = placed.json()["run_id"]
    return run_id


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events of an answer."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_a_client_follows_a_run_to_its_end(shop: ShopSite) -> None:
    """From its beginning, and the answer ends by itself. What a client must not do is answered as FastAPI does."""
    run_id = place(shop)
    with shop.client.stream("GET", f"/orders/{run_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        seen = list(events(answer.iter_lines()))
    statuses = [content["status"] for name, content in seen if name == "status"]
    assert statuses[-2:] == ["EXECUTING", "COMPLETED"], seen
    packed = [content["metadata"]["packed"] for name, content in seen if name == "metadata"]
    assert packed
    assert packed[-1] == 3
    assert shop.client.get(f"/orders/{run_id}").json() == {
        "run_id": run_id,
        "status": "COMPLETED",
        "packed": 3,
        "answer": "3 items for ada@example.com",
    }
    unknown = shop.client.get("/orders/run_unknown")
    assert unknown.status_code == 404
    assert "no run run_unknown" in unknown.json()["detail"]
    assert shop.client.get("/orders/run_unknown/events").status_code == 404
    assert shop.client.post("/orders", json={"email": "nobody", "items": []}).status_code == 422
    shop.sign_in("/taskflow")
    page = shop.client.get(f"/taskflow/{shop.environment}/runs")
    assert page.status_code == 200
    assert run_id in page.text


def test_a_stream_ends_with_its_client_and_with_the_server(shop: ShopSite) -> None:
    """A client that went away frees the only stream, and an open one does not keep the server from ending."""
    run_id = place(shop, items=1_000)
    address = f"/orders/{run_id}/events"
    with shop.client.stream("GET", address) as first:
        seen = events(first.iter_lines())  # kept: its end would be that of the answer
        assert next(seen)[0] == "status"
        with shop.client.stream("GET", address) as second:
            assert second.status_code == 503

    answers: list[httpx.Response] = []

    def is_open() -> bool:
        answers.append(shop.client.send(shop.client.build_request("GET", address), stream=True))
        if answers[-1].status_code != 200:
            answers[-1].close()
        return answers[-1].status_code == 200

    wait_until(is_open, "the first stream to end with its client")
    answer = answers[-1]
    lines = answer.iter_lines()
    seen = events(lines)
    assert next(seen)[0] == "status"
    began = time.monotonic()
    shop.server.send_signal(signal.SIGTERM)
    with pytest.raises(httpx.RemoteProtocolError):  # cut, so that the client comes back
        list(seen)
    wait_until(lambda: shop.server.poll() is not None, "the server to end", timeout=20)
    assert time.monotonic() - began < 20
    assert "Application shutdown complete" in shop.log("server").read_text(), tail(shop.log("server"))
    assert "ERROR" not in shop.log("server").read_text()
    answer.close()
