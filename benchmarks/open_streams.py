"""Open event streams of one server process, on many live runs: its CPU and memory, and how late events come.

    python -m benchmarks.open_streams --streams 500 --runs 5000 --seconds 30 --changes 200

Runs get a tag ``--changes`` times a second in all, evenly over all of them: most are of runs that nobody follows.
 Lag: from the store's time of the change to the event in the client, which is another process. At the end the
store is away for ``--outage`` seconds, then each followed run is canceled: every stream must end with this status.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import psutil

from taskflow import Settings, TaskFlow, tasks
from taskflow.store import operations
from tests.support.servers import RedisServer, find_valkey, free_port

WARM_UP_SECONDS = 3.0


def main() -> None:
    """Measure, and print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--changes", type=float, default=200)
    parser.add_argument("--outage", type=float, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given)


def measure(folder: Path, given: argparse.Namespace) -> None:
    """Start a store and a server, and measure."""
    store = RedisServer(folder / "store", find_valkey(), name="Valkey", appendfsync="everysec")
    store.start()
    env = {"TASKFLOW_REDIS_URL": store.url, "TASKFLOW_DATABASE_URL": "none", "TASKFLOW_ENVIRONMENT": "bench"}
    env |= {"TASKFLOW_HOME": str(folder), "TASKFLOW_SERVER_STREAMS": "10000", "TASKFLOW_SERVER_RATE_LIMIT": "none"}
    os.environ.update(env)
    flow = TaskFlow(Settings.read()).set_default()
    run_ids = _make_runs(given.runs)
    port, key = free_port(), flow.engine.api_keys.create("bench")[1]
    command = [sys.executable, "-m", "taskflow", "server", "--port", str(port), "--loglevel", "WARNING"]
    server = subprocess.Popen(command, env={**os.environ, **env})
    try:
        _wait_for(port)
        _measure(flow, store, psutil.Process(server.pid), run_ids, f"http://127.0.0.1:{port}", key, given)
    finally:
        server.terminate()
        server.wait(10)
        flow.close()
        store.close()


def _measure(
    flow: TaskFlow,
    store: RedisServer,
    server: psutil.Process,
    run_ids: list[str],
    url: str,
    key: str,
    given: argparse.Namespace,
) -> None:
    idle_mb = server.memory_info().rss / 1e6
    followed = run_ids[:: max(1, len(run_ids) // given.streams)][: given.streams]
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    client = multiprocessing.get_context("spawn").Process(target=follow_all, args=(url, key, followed, theirs))
    client.start()
    assert ours.recv() == "started"
    began, idle = time.monotonic(), server.cpu_times()
    assert ours.recv() == "open"
    opened = server.cpu_times()
    each_ms = 1000 * (opened.user + opened.system - idle.user - idle.system) / len(followed)
    took = time.monotonic() - began
    print(f"{len(followed)} streams on {len(run_ids):,} live runs opened in {took:.1f} s, {each_ms:.1f} ms of CPU each")
    time.sleep(WARM_UP_SECONDS)
    quiet = _cpu(server, 5)
    print(f"quiet: {quiet:.1%} of a core, {server.memory_info().rss / 1e6:.0f} MB (without streams {idle_mb:.0f} MB)")
    before, started = server.cpu_times(), time.monotonic()
    count = _change(flow, run_ids, given.seconds, given.changes)
    took = time.monotonic() - started
    after = server.cpu_times()
    used = (after.user + after.system - before.user - before.system) / took
    print(f"{count / took:.0f} changes/s: {used:.1%} of a core, {server.memory_info().rss / 1e6:.0f} MB")
    ours.send("lags")
    lags = sorted(ours.recv())
    if lags:
        p50, p99 = statistics.median(lags), lags[int(len(lags) * 0.99)]
        print(f"lag of {len(lags):,} events: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {lags[-1]:.1f} ms")
    if given.outage:
        store.stop()
        time.sleep(given.outage)
        store.start()
    began = time.monotonic()
    for run_id in followed:
        flow.engine.runs.cancel(run_id)
    canceled = time.monotonic() - began
    ours.send("ends")
    ends, broken = ours.recv()
    print(
        f"outage of {given.outage:g} s, then {len(followed)} runs canceled in {canceled:.1f} s: "
        f"{ends} streams ended with CANCELED, {broken} broke"
    )
    client.join(10)


def _make_runs(count: int) -> list[str]:
    made: list[str] = []
    while len(made) < count:
        size = min(1000, count - len(made))
        made += tasks.batch_trigger("bench-nobody", [{"n": n} for n in range(size)]).run_ids
    return made


def _change(flow: TaskFlow, run_ids: list[str], seconds: float, rate: float) -> int:
    """Add a tag to one run after another, at a rate. Return how many changes that were."""
    began, count = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < seconds:
        if count >= elapsed * rate:
            time.sleep(0.001)
            continue
        run_id = run_ids[count * 7919 % len(run_ids)]
        flow.store.run_for(run_id, operations.updates.add_tags(run_id, None, [f"t{count % 9}"]))
        count += 1
    return count


def follow_all(url: str, key: str, run_ids: list[str], pipe: Connection) -> None:
    """Follow runs, in a process of its own, and answer questions about what has come."""
    asyncio.run(_follow_all(url, key, run_ids, pipe))


async def _follow_all(url: str, key: str, run_ids: list[str], pipe: Connection) -> None:
    pipe.send("started")
    lags: list[float] = []
    state = {"open": 0, "ended": 0, "broken": 0}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=None, headers={"authorization": f"Bearer {key}"}) as client:
        tasks = [
            asyncio.create_task(_follow(client, f"{url}/api/v1/runs/{each}/events", lags, state)) for each in run_ids
        ]
        while state["open"] < len(run_ids):
            await asyncio.sleep(0.05)
        pipe.send("open")
        await asyncio.to_thread(pipe.recv)
        pipe.send(lags)
        await asyncio.to_thread(pipe.recv)
        await asyncio.wait(tasks, timeout=60)
        pipe.send((state["ended"], state["broken"]))


async def _follow(client: httpx.AsyncClient, url: str, lags: list[float], state: dict[str, int]) -> None:
    is_first, kind, last = True, "", ""
    try:
        async with client.stream("GET", url) as answer:
            assert answer.status_code == 200, answer.status_code
            async for line in answer.aiter_lines():
                if is_first:
                    is_first = False
                    state["open"] += 1
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    told: dict[str, Any] = json.loads(line[6:])
                    if kind == "tags":
                        lags.append((time.time() - _seconds(told["at"])) * 1000)
                    if kind == "status":
                        last = str(told["status"])
    except httpx.HTTPError:
        state["broken"] += 1
        return
    state["ended" if last == "CANCELED" else "broken"] += 1


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def _cpu(server: psutil.Process, seconds: float) -> float:
    before = server.cpu_times()
    time.sleep(seconds)
    after = server.cpu_times()
    return (after.user + after.system - before.user - before.system) / seconds


def _wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the server does not listen")


if __name__ == "__main__":
    main()
