"""``python -m benchmarks.webhooks``: deliveries a second that one server process accepts, and how long each takes.

A delivery is signed as by GitHub, has a body of 2 KB and an id of its own, so that each makes a run. First as many as
32 connections send one after the other, beside as many requests of ``/healthz``, which do nothing. Then 1,000 a second,
whatever the server does meanwhile.
"""

import argparse
import asyncio
import hashlib
import hmac
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.__main__ import Bench, console, until
from benchmarks.webhook_tasks import SECRET
from taskflow import TaskFlow
from taskflow.worker.attempt.runtime import runtime_of

CONNECTIONS = 32
BODY = json.dumps({"action": "opened", "text": "x" * 2000}).encode()
SIGNATURE = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
_numbers = itertools.count()
ClientT = TypeVar("ClientT")


class Client:
    """One connection of a sender."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Event: issues\r\n"
            f"X-Hub-Signature-256: sha256={SIGNATURE}\r\nContent-Length: {len(BODY)}\r\nX-GitHub-Delivery: "
        ).encode()

    async def connect(self) -> None:
        """Open the connection."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self) -> None:
        """Ask for the server's health, which costs nothing but HTTP."""
        self._writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await self._reader.readexactly(length)

    async def deliver(self) -> None:
        """Send a new delivery, and wait until it is accepted."""
        self._writer.write(b"%sd-%d\r\n\r\n%s" % (self._head, next(_numbers), BODY))
        answer = await self._reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200") or b"x-taskflow-status: accepted" not in answer:
            raise RuntimeError(answer.decode())


async def as_many_as_possible(
    clients: list[ClientT], seconds: float, request: Callable[[ClientT], Awaitable[None]]
) -> tuple[float, list[float]]:
    """Return the requests a second, and how long each took, with the next one sent when one is answered."""
    took: list[float] = []
    began = time.perf_counter()

    async def send(client: ClientT) -> None:
        while (sent := time.perf_counter()) - began < seconds:
            await request(client)
            took.append(time.perf_counter() - sent)

    await asyncio.gather(*map(send, clients))
    return len(took) / (time.perf_counter() - began), took


async def at_a_pace(clients: list[Client], seconds: float, pace: float) -> tuple[float, list[float]]:
    """Return the same at a fixed pace. A delivery's time counts from the instant at which it was to be sent."""
    took: list[float] = []
    idle, tasks = deque(clients), set[asyncio.Task[None]]()
    began = time.perf_counter()

    async def send(client: Client, due: float) -> None:
        await client.deliver()
        took.append(time.perf_counter() - due)
        idle.append(client)

    for number in range(round(seconds * pace)):
        due = began + number / pace
        while time.perf_counter() < due or not idle:
            await asyncio.sleep(max(0.0, min(0.001, due - time.perf_counter())))
        task = asyncio.create_task(send(idle.popleft(), due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return len(took) / (time.perf_counter() - began), took


@contextmanager
def server(folder: Path) -> Generator[tuple[psutil.Process, int]]:
    """Run a server until it answers, and end it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "taskflow.cli.main", "server", "--port", str(port), "--loglevel", "WARNING"]
    with (folder / "server.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ)
    try:
        until(lambda: _answers(port), 30)
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
            return True
    except OSError:
        return False


async def measure(process: psutil.Process, port: int, path: str, seconds: float, pace: float) -> None:
    """Print the figures of one round."""
    clients = [Client(port, path) for _ in range(CONNECTIONS)]
    for client in clients:
        await client.connect()
    await as_many_as_possible(clients, 1, Client.deliver)
    for name, round_ in (
        (f"/healthz, {CONNECTIONS} connections", as_many_as_possible(clients, seconds, Client.ask)),
        (f"deliveries, {CONNECTIONS} connections", as_many_as_possible(clients, seconds, Client.deliver)),
        (f"deliveries, {pace:g} a second", at_a_pace(clients, seconds, pace)),
    ):
        before = sum(process.cpu_times()[:2])
        rate, took = await round_
        cpu_us = (sum(process.cpu_times()[:2]) - before) / len(took) * 1e6
        times = "/".join(f"{quantile(took, share) * 1000:.1f}" for share in (50, 99, 100))
        console.print(f"{name}: {rate:,.0f}/s, p50/p99/max {times} ms, server's CPU {cpu_us:.0f} us each")


def quantile(values: list[float], share: int) -> float:
    """Return a percentile."""
    return max(values) if share == 100 else statistics.quantiles(values, n=100)[share - 1]


def rounds(count: int) -> Iterator[int]:
    """Yield the numbers of the rounds, with the machine's load."""
    for number in range(1, count + 1):
        console.print(f"round {number}, load {os.getloadavg()[0]:.1f}", style="dim")
        yield number


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pace", type=float, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        os.environ["TASKFLOW_TASKS"] = "benchmarks.webhook_tasks"
        os.environ["TASKFLOW_SECRET_KEY"] = "0123456789abcdef"
        try:
            flow = TaskFlow().set_default()
            runtime_of(flow.celery).declare()  # as a worker does, so that runs are QUEUED
            [endpoint] = [each for each in flow.engine.webhooks.endpoints() if each.task == "bench-webhook"]
            with server(Path(folder)) as (process, port):
                for _ in rounds(given.rounds):
                    asyncio.run(measure(process, port, endpoint.path, given.seconds, given.pace))
            flow.close()
        finally:
            bench.close()


if __name__ == "__main__":
    main()
