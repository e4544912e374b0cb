"""The pages of the dashboard on many live runs and a long history: time to the answer, and the CPU of open tabs.

    python -m benchmarks.dashboard --history 1000000 --runs 5000 --tabs 50 --rate 200

Times are those of a client on the same host, over HTTP, with one request at a time. The history is made once, see
``history_maker``. Then tabs stay open on the live streams of the pages while runs finish, and load their part again
whenever they are told to, as browsers do.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
import psutil

from benchmarks.history_cache import copy_history, kept_history
from taskflow import Settings, TaskFlow, tasks
from taskflow.definition.calls.users import Role
from taskflow.definition.queue import NO_LIMITS
from taskflow.models import RunStatus
from taskflow.server.dashboard.sign_in.sessions import session_cookie
from taskflow.store import operations
from taskflow.store.operations.registration import TaskRegistration
from tests.support.servers import RedisServer, find_valkey, free_port

PAGES: Final = (
    "runs", "runs?period=all", "runs?status=FAILED&task=label-render&period=7d", "runs?error=503&period=7d", "tasks",
    "errors", "queues", "queues/task/email-send", "workers", "batches", "schedules", "tokens",
)  # fmt: skip
PARTS: Final = (("runs", "div#list"), ("queues", "div#overview"), ("workers", "div#fleet"), ("batches", "div#list"))
NODE: Final = "bench@host.1.aa"
ENVIRONMENT: Final = "dev"


def main() -> None:
    """Measure, and print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=int, default=1_000_000, help="runs in the history; 0 for none")
    parser.add_argument("--runs", type=int, default=5000, help="live runs")
    parser.add_argument("--requests", type=int, default=40, help="requests of each page")
    parser.add_argument("--tabs", type=int, default=50)
    parser.add_argument("--rate", type=float, default=200, help="runs that finish, a second")
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given)


def measure(folder: Path, given: argparse.Namespace) -> None:
    """Start a store and a server, and measure."""
    store = RedisServer(folder / "store", find_valkey(), name="Valkey", appendfsync="everysec")
    store.start()
    history = "none"
    if given.history:
        history = f"sqlite:///{copy_history(kept_history(ENVIRONMENT, given.history), folder / 'history.db')}"
    env = {"TASKFLOW_REDIS_URL": store.url, "TASKFLOW_DATABASE_URL": history, "TASKFLOW_ENVIRONMENT": ENVIRONMENT}
    env["TASKFLOW_HOME"] = str(folder)
    os.environ.update(env)
    flow = TaskFlow(Settings.read()).set_default()
    _make_runs(flow, given.runs)
    port = free_port()
    command = [sys.executable, "-m", "taskflow", "server", "--port", str(port), "--loglevel", "WARNING"]
    server = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    try:
        asyncio.run(_measure(flow, f"http://127.0.0.1:{port}", psutil.Process(server.pid), given))
    finally:
        server.kill()  # its open streams would have it wait
        server.wait(10)
        flow.close()
        store.close()


def _make_runs(flow: TaskFlow, count: int) -> None:
    lease = timedelta(hours=1)
    run = flow.store.run
    queues = [f"{ENVIRONMENT}.small-1x.process"]
    classes = ["small-1x.process"]
    run(operations.nodes.register_node(NODE, lease=lease, queues=queues, capacity=8, classes=classes, description={}))
    name = "email-send"
    registration = TaskRegistration(name, classes[0], f"task/{name}", NO_LIMITS, 3, None, None, (), "", None)
    run(operations.making.declare({}, {}, by_worker=True, registrations={name: registration.to_json()}))
    for size in [1000] * (count // 1000):
        tasks.batch_trigger(name, [{"n": n} for n in range(size)])


async def _measure(flow: TaskFlow, url: str, server: psutil.Process, given: argparse.Namespace) -> None:
    users = flow.engine.users
    users.add("bench", Role.OPERATOR, "no password")
    user = await users.aread("bench")
    assert user is not None
    cookies = {session_cookie(ENVIRONMENT): await users.aopen_session(user, "")}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=f"{url}/{ENVIRONMENT}/", cookies=cookies, limits=limits, timeout=30
    ) as client:
        await _until_up(client)
        for page in PAGES:
            await _time_page(client, page, given.requests)
        await _cpu_of_tabs(flow, client, server, given)


async def _until_up(client: httpx.AsyncClient) -> None:
    for _ in range(300):
        try:
            await client.get("runs")
        except httpx.TransportError:
            await asyncio.sleep(0.1)
        else:
            return


async def _time_page(client: httpx.AsyncClient, page: str, count: int) -> None:
    took: list[float] = []
    answer = await client.get(page)
    for _ in range(count):
        began = time.perf_counter()
        answer = await client.get(page)
        took.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(0.05)
    took.sort()
    p50, p95 = statistics.median(took), took[int(len(took) * 0.95)]
    print(f"{page:48} {answer.status_code} p50 {p50:6.1f} ms, p95 {p95:6.1f} ms, {len(answer.content) / 1000:.0f} kB")


async def _cpu_of_tabs(
    flow: TaskFlow, client: httpx.AsyncClient, server: psutil.Process, given: argparse.Namespace
) -> None:
    idle = await _cpu(server, 3)
    tabs = [asyncio.create_task(_tab(client, *PARTS[number % len(PARTS)])) for number in range(given.tabs)]
    await asyncio.sleep(3)
    quiet = await _cpu(server, 5)
    before, began = server.cpu_times(), time.monotonic()
    finished = await asyncio.to_thread(_finish, flow, given.seconds, given.rate)
    took = time.monotonic() - began
    after = server.cpu_times()
    busy = (after.user + after.system - before.user - before.system) / took
    for tab in tabs:
        tab.cancel()
    answers = await asyncio.gather(*tabs, return_exceptions=True)
    cost = f"{idle:.1%} of a core without them, {quiet:.1%} quiet, {busy:.1%} while {finished / took:.0f} runs/s end"
    print(f"{len(answers)} tabs: {cost}")


async def _tab(client: httpx.AsyncClient, page: str, part: str) -> None:
    """Follow a page's topic, and load its part again at each change, as htmx does."""
    topic = "runs:period=24h" if page == "runs" else page
    headers = {"hx-request": "true", "hx-target": part}
    async with client.stream("GET", "live", params={"t": ["nav", topic]}, timeout=None) as stream:
        async for line in stream.aiter_lines():
            if line == "event: changed":
                await client.get(page, headers=headers)


async def _cpu(server: psutil.Process, seconds: float) -> float:
    before, began = server.cpu_times(), time.monotonic()
    await asyncio.sleep(seconds)
    after = server.cpu_times()
    return (after.user + after.system - before.user - before.system) / (time.monotonic() - began)


def _finish(flow: TaskFlow, seconds: float, rate: float) -> int:
    """Claim and finish live runs at a rate. Return how many."""
    began, count, run = time.monotonic(), 0, flow.store.run
    ids = iter([each.id for each in run(operations.runs.list_runs(10_000)) if each.status is RunStatus.QUEUED])
    while (elapsed := time.monotonic() - began) < seconds:
        if count >= elapsed * rate:
            time.sleep(0.001)
            continue
        run_id = next(ids, None)
        if run_id is None:
            break
        claimed = run(operations.runs.claim_run(run_id, node_id=NODE, reservation=1))
        run(operations.runs.finish_run(run_id, claimed.claim, RunStatus.COMPLETED, output=b'"done"'))
        count += 1
    return count


if __name__ == "__main__":
    main()
