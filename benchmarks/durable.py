"""Durable runs that wait in the store alone: restarts store and workers, and prints the runs' cost and delay.

``python -m benchmarks.durable --runs 10000 --wait 3600`` measures the documented figures. A shorter wait also does.
"""

import argparse
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks.__main__ import Bench, until

QUEUE = "dev.small-1x.async"
PERCENTILES = (0, 50, 90, 99, 99.9, 100)
console = Console(width=110)


def main() -> None:
    """Wait, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--wait", type=float, default=120.0, help="seconds until the first of them wakes")
    parser.add_argument("--spread", type=float, default=60.0, help="seconds from the first to the last")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            measure(bench, options.runs, options.wait, options.spread)
        finally:
            bench.close()


def measure(bench: Bench, runs: int, wait: float, spread: float) -> None:
    """Let runs wait, restart everything, and let them wake one after the other."""
    from benchmarks import bench_tasks
    from taskflow import BatchItem

    bench.forget_marks()
    before = bench.memory()
    first = datetime.now(UTC) + timedelta(seconds=wait)
    with bench.worker("taskflow.fleet", QUEUE, "-P", "custom", "-c", "1000"):
        for place in range(0, runs, 1000):
            instants = [first + timedelta(seconds=spread * n / runs) for n in range(place, min(runs, place + 1000))]
            bench_tasks.alarm.batch_trigger([BatchItem(instant) for instant in instants])
        began = time.monotonic()
        until(lambda: waiting(bench) == runs, 600)
        console.print(f"{runs:,} runs wait without a process ({time.monotonic() - began:.0f} s after the last trigger)")
    report_memory(bench, runs, before)
    bench.restart_server()
    with bench.worker("taskflow.fleet", QUEUE, "-P", "custom", "-c", "1000") as node:
        if datetime.now(UTC) > first:
            console.print("[red]The wait was too short for this machine: the first runs wake late.")
        used = cpu_seconds(node)
        until(lambda: len(lateness(bench)) >= runs, wait + spread + 300)
        used = cpu_seconds(node) - used
    delays = lateness(bench)
    assert len(delays) == runs, f"{len(delays)} runs woke"
    texts = [f"p{each:g} {delays[min(runs - 1, int(runs * each / 100))] * 1000:.0f} ms" for each in PERCENTILES]
    console.print(f"{used / runs * 1000:.2f} ms of the worker's CPU a wake; load average {os.getloadavg()[0]:.1f}")
    console.print(
        f"after a restart of store and workers, {runs / spread:,.0f} due a second: late by {', '.join(texts)}"
    )


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def waiting(bench: Bench) -> int:
    """Return the number of waiting runs that are on no node. It is the number of timers, when no node holds a run."""
    timers = int(bench.redis.zcard("{tf:dev:0}:timers"))
    held = [int(bench.redis.hlen(key)) for key in bench.redis.scan_iter("{tf:dev:0}:node:*:runs", count=1000)]
    return timers if not any(held) else 0


def report_memory(bench: Bench, runs: int, before: int) -> None:
    """Print the bytes of a waiting run in the store."""
    client = bench.redis
    kinds = ("run", "waits", "journal")
    keys = [key for kind in kinds for key in client.scan_iter(f"{{tf:dev:0}}:{kind}:*", count=1000)]
    shared = [f"{{tf:dev:0}}:{name}" for name in ("live", "timers", "load")]
    size = sum(client.memory_usage(key, samples=0) or 0 for key in [*keys, *shared])
    whole = bench.memory() - before
    console.print(f"{size / runs:,.0f} bytes a run in its keys and its share of the sorted sets")
    console.print(f"{whole / runs:,.0f} bytes a run of all memory, the events for history and Celery's own included")


def lateness(bench: Bench) -> list[float]:
    """Return the delay of each run's wake-up, in seconds, sorted."""
    return sorted(int(line) / 1e9 for line in bench.marks.read_bytes().split())


if __name__ == "__main__":
    main()
