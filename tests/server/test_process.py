"""``taskflow server`` as a process: how it stops, what it gives up, and what it logs."""

import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import MakeServer, StartFleet
from tests.support.api_server import ApiServer
from tests.support.fleet import ROOT
from tests.support.processes import kill_group, spawn
from tests.support.servers import HOST, RedisServer
from tests.support.waiting import wait_until

ECHO = "/api/v1/tasks/t-echo/trigger"
ORIGIN = "https://app.example"


@pytest.fixture
def server(start_fleet: StartFleet, valkey: RedisServer) -> Iterator[ApiServer]:
    """A server with short limits, for pages of one origin."""
    server = ApiServer(start_fleet(valkey.url), TASKFLOW_SERVER_BODY_TIMEOUT="0.5", TASKFLOW_SERVER_CORS_ORIGINS=ORIGIN)
    server.start()
    yield server
    server.close()


def client_of(server: ApiServer, key: str) -> httpx.Client:
    """Return a client with a key."""
    return httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key}"}, timeout=20)


@pytest.mark.interpreter
def test_sigterm_ends_open_streams_and_the_process(server: ApiServer) -> None:
    """uvicorn alone would wait for the clients of streams, for ever."""
    key = server.new_key()
    with client_of(server, key) as client:
        run_id = client.post(ECHO, json={"payload": 1, "options": {"delay": "1h"}}).json()["id"]
        with client.stream("GET", f"/api/v1/runs/{run_id}/events") as answer:
            chunks = answer.iter_raw()
            assert b"DELAYED" in next(chunks)
            began = time.monotonic()
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            with pytest.raises(httpx.RemoteProtocolError):  # a clean end would end the client's iteration for good
                for _ in chunks:
                    pass
            stopping.join(20)
    assert time.monotonic() - began < 8


def test_bodies_that_do_not_come_or_do_not_end_are_refused(server: ApiServer) -> None:
    """A large one is read before: a client that still sends would see a broken connection instead of 413."""
    head = (
        f"POST {ECHO} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.new_key()}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with socket.create_connection((HOST, server.port), timeout=10) as connection:
        connection.sendall(head.encode())
        late = b"".join(iter(lambda: connection.recv(10_000), b""))  # until the server closes the connection
    assert late.startswith(b"HTTP/1.1 408")
    assert b"body_timeout" in late
    with client_of(server, server.new_key()) as client:
        answer = client.post(ECHO, content=b'{"payload":"' + b"x" * 8_000_000 + b'"}')
        after = client.post(ECHO, json={"payload": 1})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert after.status_code == 200


def test_pages_of_a_named_origin_may_call_what_takes_public_tokens(server: ApiServer) -> None:
    """Errors can be read there, too; other origins and routes get no headers."""
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    with client_of(server, server.new_key()) as client:
        preflight = client.options(ECHO, headers=asked)
        refused = client.post(ECHO, headers={"origin": ORIGIN, "authorization": "Bearer nonsense"})
        other = client.options(ECHO, headers=asked | {"origin": "https://evil.example"})
        secret = client.options("/api/v1/schedules", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert refused.status_code == 401
    assert refused.headers["access-control-expose-headers"] == "*"
    for answer in (other, secret):
        assert "access-control-allow-origin" not in answer.headers


def test_the_log_has_runs_and_callers_and_no_payload_and_no_key(server: ApiServer) -> None:
    """Values in paths are left out as well, because some are secret."""
    key = server.new_key()
    with client_of(server, key) as client:
        run_id = client.post(ECHO, json={"payload": "s3cret-payload"}).json()["id"]
        client.post("/api/v1/waitpoints/tokens/waitpoint_1/callback/s3cret-hash", content=b"{}")
    server.stop()
    log = server.log.read_text()
    assert "POST /api/v1/tasks/{task:path}/trigger 200" in log
    assert f"run {run_id}" in log
    assert " by key_" in log
    assert key not in log
    assert "s3cret" not in log


def test_without_its_store_the_server_says_so_and_recovers(start_fleet: StartFleet, start_valkey: MakeServer) -> None:
    """503 is sent again by the client; the repeat makes no second run."""
    store = start_valkey(appendfsync="always")
    server = ApiServer(start_fleet(store.url, connect_timeout=0.5))
    server.start()
    try:
        with client_of(server, server.new_key()) as client:
            assert client.get("/readyz").status_code == 200
            store.stop()
            refused = client.post(ECHO, json={"payload": 1}, headers={"x-trigger-request-idempotency-key": "k"})
            wait_until(lambda: client.get("/readyz").status_code == 503, "the server to notice")
            ready, alive = client.get("/readyz"), client.get("/healthz")
            store.start()
            made = [
                client.post(ECHO, json={"payload": 1}, headers={"x-trigger-request-idempotency-key": "k"})
                for _ in range(2)
            ]
    finally:
        server.close()
    assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
    assert "x-should-retry" not in refused.headers
    assert str(urlsplit(store.url).port) not in refused.text  # where the store is concerns nobody without a key
    assert (ready.status_code, ready.json()["store"], alive.status_code) == (503, "down", 200)
    assert made[0].json() == made[1].json()


def test_the_address_is_printed_once_the_server_listens(
    start_fleet: StartFleet, valkey: RedisServer, tmp_path: Path
) -> None:
    """Whoever reads it may connect at once. Port 0 is any free one."""
    fleet, log = start_fleet(valkey.url), tmp_path / "server.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "taskflow", "server", "--port", "0"]
        process = spawn(command, env=fleet.env(), cwd=ROOT, output=output)
    try:
        wait_until(lambda: "http://" in log.read_text(), "the address", timeout=30)
        port = int(re.findall(rf"http://{HOST}:(\d+)", log.read_text())[0])
        with socket.create_connection((HOST, port), timeout=5):
            pass
    finally:
        kill_group(process)


def test_many_who_ask_whether_the_server_is_ready_cost_the_store_what_one_costs(
    server: ApiServer, valkey: RedisServer
) -> None:
    """Nobody needs a key for it."""
    redis = valkey.client()
    with ThreadPoolExecutor(16) as pool, client_of(server, "none") as client:

        def asked() -> int:
            return int(redis.info("commandstats").get("cmdstat_info", {"calls": 0})["calls"])

        before = asked()
        statuses = [answer.status_code for answer in pool.map(client.get, ["/readyz"] * 200)]
        after = asked()
    redis.close()
    assert statuses == [200] * 200
    assert after - before < 40
