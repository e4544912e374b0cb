"""Unmodified Flower, over a fleet with events."""

import sys

import httpx
import pytest

from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.fleet import ROOT
from tests.support.processes import spawn, stop_group
from tests.support.servers import RedisServer, free_port
from tests.support.waiting import wait_until


@pytest.mark.timeout(90)
def test_flower_lists_workers_and_tasks_with_states_retries_and_arguments(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """People who operate Celery use Flower today."""
    fleet = start_fleet(valkey.url)
    port = free_port()
    command = [
        sys.executable, "-m", "celery", "-A", "taskflow.fleet", "flower", "--address=127.0.0.1", f"--port={port}",
        "--basic_auth=user:word",
    ]  # fmt: skip
    log = fleet.folder / "flower.log"
    with log.open("wb") as output:
        flower = spawn(command, env=fleet.env(), cwd=ROOT, output=output)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=("user", "word"), timeout=10)
    try:
        wait_until(lambda: _answers(client), f"Flower to answer; its log: {log}", timeout=30)
        node = fleet.start_node(options=("-E",))
        wait_until(lambda: any(name.startswith(node.name) for name in _workers(client)), "the worker", timeout=20)
        retried, failed = tasks.flaky.trigger(2), tasks.flaky.trigger(9, max_attempts=1)
        assert retried.result(timeout=10) == 2
        wait_until(lambda: _task(client, failed.id).get("state") == "FAILURE", "the failure", timeout=10)
        wait_until(lambda: _task(client, retried.id).get("state") == "SUCCESS", "the success", timeout=10)
        shown = _task(client, retried.id)
        assert (shown["name"], shown["args"]) == ("t-flaky", "2")
        assert shown["retried"]
    finally:
        client.close()
        stop_group(flower)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthcheck").status_code == 200
    except httpx.TransportError:
        return False


def _workers(client: httpx.Client) -> dict[str, object]:
    document: dict[str, object] = client.get("/api/workers", params={"refresh": "true"}).json()
    return document


def _task(client: httpx.Client, run_id: str) -> dict[str, object]:
    reply = client.get(f"/api/task/info/{run_id}")
    document: dict[str, object] = reply.json() if reply.status_code == 200 else {}
    return document
