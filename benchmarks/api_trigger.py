"""``python -m benchmarks.api_trigger``: triggers a second over HTTP, how long each takes, and how much is the store's.

32 connections send one trigger after the other to one server process, with a SuperJSON payload of 100 bytes and a
request key of its own, as the official client does. The store's share is its CPU time beside that of the server, and
the time in which it executes the scripts of a trigger: the check of the key and the making of the run.
"""

import argparse
import asyncio
import itertools
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import psutil

from benchmarks.__main__ import Bench, console
from benchmarks.webhooks import CONNECTIONS, as_many_as_possible, quantile, rounds, server
from taskflow import TaskFlow
from taskflow.worker.attempt.runtime import runtime_of

TASK = "bench-noop"
PAYLOAD = json.dumps({"json": {"data": "x" * 80}})
BODY = json.dumps({"payload": PAYLOAD, "options": {"payloadType": "application/super+json"}}).encode()
_numbers = itertools.count()


class Client:
    """One connection of a caller."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._head = (
            f"POST /api/v1/tasks/{TASK}/trigger HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {key}\r\nContent-Length: {len(BODY)}\r\nx-trigger-request-idempotency-key: "
        ).encode()

    async def connect(self) -> None:
        """Open the connection."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def trigger(self) -> None:
        """Trigger a run, and read the answer to its end."""
        self._writer.write(b"%s%d\r\n\r\n%s" % (self._head, next(_numbers), BODY))
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(body.decode())


def scripts_us(redis: Any) -> float:
    """Return the microseconds for which the store has executed scripts."""
    return float(redis.info("commandstats").get("cmdstat_fcall", {"usec": 0})["usec"])


async def measure(
    process: psutil.Process, store: psutil.Process, redis: Any, port: int, key: str, seconds: float
) -> None:
    """Print the figures of one round."""
    clients = [Client(port, key) for _ in range(CONNECTIONS)]
    for client in clients:
        await client.connect()
    await as_many_as_possible(clients, 1, Client.trigger)
    before, store_before, scripts = sum(process.cpu_times()[:2]), sum(store.cpu_times()[:2]), scripts_us(redis)
    rate, took = await as_many_as_possible(clients, seconds, Client.trigger)
    own = (sum(process.cpu_times()[:2]) - before) / len(took) * 1e6
    of_store = (sum(store.cpu_times()[:2]) - store_before) / len(took) * 1e6
    inside = (scripts_us(redis) - scripts) / len(took)
    times = "/".join(f"{quantile(took, share) * 1000:.1f}" for share in (50, 99, 100))
    share = of_store / (own + of_store)
    console.print(f"{rate:,.0f} triggers/s, p50/p99/max {times} ms", end="; ")
    console.print(f"CPU: server {own:.0f} us, store {of_store:.0f} us ({share:.0%}), of which scripts {inside:.0f} us")


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        os.environ["TASKFLOW_SERVER_RATE_LIMIT"] = "99999/s"
        try:
            flow = TaskFlow().set_default()
            runtime_of(flow.celery).declare()  # as a worker does, so that runs are QUEUED
            _, key = flow.engine.api_keys.create("bench")
            store = psutil.Process(int(bench.redis.info("server")["process_id"]))
            with server(Path(folder)) as (process, port):
                for _ in rounds(given.rounds):
                    asyncio.run(measure(process, store, bench.redis, port, key, given.seconds))
            flow.close()
        finally:
            bench.close()


if __name__ == "__main__":
    main()
