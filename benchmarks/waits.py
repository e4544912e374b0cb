"""Measures waits: the time from a token or a child's end to the run's next line, and the cost of 10,000 waiting runs.

``python -m benchmarks.waits [--only tokens children hour]``
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from rich.table import Table

from benchmarks.__main__ import Bench, console, until

if TYPE_CHECKING:
    from taskflow import Task

POOL = ("-P", "custom", "-c", "2000")
HOUR = 3600
ASYNC, PROCESS = "dev.small-1x.async", "dev.small-1x.process"
Rows = list[tuple[str, str, str]]
"""A measurement's name, its value, its target."""
Marks = dict[str, dict[int, int]]
"""An event's name, its number and its time."""


def main() -> int:
    """Run the benchmarks and print medians of the rounds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waits", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--waiting", type=int, default=10_000, help="runs that wait for an hour")
    parser.add_argument("--stay", action="store_true", help="with hour: stay the hour, until all of them woke")
    parser.add_argument("--only", nargs="+", choices=("tokens", "children", "hour"), help="default: all of them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tfb-") as folder:
        bench = Bench(Path(folder))
        os.environ["TASKFLOW_TASKS"] = "benchmarks.wait_tasks"
        os.environ["TASKFLOW_DATABASE_URL"] = "none"
        try:
            parts: dict[str, Callable[[], Rows]] = {
                "tokens": lambda: _tokens(bench, options.rounds),
                "children": lambda: _children(bench, options.rounds),
                "hour": lambda: _hour(bench, options.waiting, stay=options.stay),
            }
            rows = [row for name, part in parts.items() if name in (options.only or parts) for row in part()]
        finally:
            bench.close()
    table = Table(title=f"waits; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for heading in ("what", "value", "target"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    return 0


def _tokens(bench: Bench, rounds: int, waiting: int = 1500, completed: int = 1000) -> Rows:
    """Complete tokens at 1,000 a second while more runs than that wait."""
    samples: list[tuple[float, float, float, float]] = []
    for _ in range(rounds):
        bench.reset()
        with bench.worker("taskflow.fleet", ASYNC, *POOL) as pid:
            samples.append(_token_round(bench, psutil.Process(pid), waiting, completed))
    p50, p99, rate, cpu = (statistics.median(column) for column in zip(*samples, strict=True))
    name = f"complete_token() to the run's next line, {rate:,.0f} tokens/s, {waiting:,} runs waiting, ms"
    return [
        (f"{name}, p50", f"{p50:.1f}", "reported"),
        (f"{name}, p99", f"{p99:.1f}", "under 100"),
        ("CPU of the node a token, us", f"{cpu:.0f}", "reported"),
    ]


def _token_round(bench: Bench, node: psutil.Process, waiting: int, completed: int) -> tuple[float, float, float, float]:
    from benchmarks import wait_tasks
    from taskflow import wait

    tokens = [wait.create_token().id for _ in range(waiting)]
    wait_tasks.for_token.batch_trigger([(number, token) for number, token in enumerate(tokens)])
    until(lambda: _waiting(bench) == waiting, 60)
    computed = sum(node.cpu_times()[:2])
    began = time.monotonic_ns()
    called: list[int] = []
    for number in range(completed):
        due = began + number * 1_000_000
        while time.monotonic_ns() < due:
            time.sleep(0.0002)
        called.append(time.monotonic_ns())
        wait.complete_token(tokens[number])
    rate = completed / ((time.monotonic_ns() - began) / 1e9)
    until(lambda: len(_marks(bench)["next"]) >= completed, 60)
    marks = _marks(bench)["next"]
    taken = sorted((marks[number] - called[number]) / 1e6 for number in range(completed))
    each = (sum(node.cpu_times()[:2]) - computed) / completed * 1e6
    return statistics.median(taken), taken[int(completed * 0.99)], rate, each


def _children(bench: Bench, rounds: int, children: int = 40) -> Rows:
    """Compare the time in which a child's end wakes its parent with that in which an idle node starts a run."""
    from benchmarks import wait_tasks

    rows: Rows = []
    for kind, queue, pool in (("async", ASYNC, POOL), ("process", PROCESS, ("-c", "2", "-O", "fair"))):
        starts, ends = list[float](), list[float]()
        bench.reset()
        with bench.worker("taskflow.fleet", queue, *pool):
            for _ in range(rounds):
                bench.forget_marks()
                starts.append(statistics.median(_starts(bench, wait_tasks.STARTS[kind], children)))
                bench.forget_marks()
                wait_tasks.PARENTS[kind].trigger(children)
                until(lambda: bool(_marks(bench)["done"]), 60)
                marks = _marks(bench)
                ends.append(statistics.median((marks["next"][n] - marks["end"][n]) / 1e6 for n in range(children)))
        ratio = statistics.median(end / start for end, start in zip(ends, starts, strict=True))
        value = f"{statistics.median(ends):.2f} / {statistics.median(starts):.2f} = {ratio:.2f}"
        rows.append((f"child's last line to parent's next / trigger to first line, ms, {kind}", value, "at most 2"))
    return rows


def _hour(bench: Bench, waiting: int, *, stay: bool) -> Rows:
    """Let runs wait in one node, and measure their memory and how soon other runs start."""
    from benchmarks import wait_tasks

    bench.reset()
    with bench.worker("taskflow.fleet", ASYNC, *POOL) as pid:
        node = psutil.Process(pid)
        before_start = statistics.median(_starts(bench, wait_tasks.async_start, 40))
        before = node.memory_info().rss
        for first in range(0, waiting, 10_000):
            wait_tasks.an_hour.batch_trigger(range(first, min(waiting, first + 10_000)))
        until(lambda: _waiting(bench) == waiting, 120)
        began = _marks(bench)["waits"]
        bench.forget_marks()
        start = _starts(bench, wait_tasks.async_start, 40)
        each = (node.memory_info().rss - before) / waiting / 1024
        slept = _sleep_an_hour(bench, node, began) if stay else []
    value = f"{statistics.median(start):.2f} (with none: {before_start:.2f})"
    return [
        (f"KB of the node's memory a run, {waiting:,} waiting for an hour", f"{each:.1f}", "under 20"),
        ("trigger to first line meanwhile, ms, p50", value, "the same"),
        ("trigger to first line meanwhile, ms, worst of 40", f"{max(start):.2f}", "reported"),
        *slept,
    ]


def _sleep_an_hour(bench: Bench, node: psutil.Process, began: dict[int, int]) -> Rows:
    """Stay until the runs woke. Measures their delay, how soon others start just before, and the cost of waiting."""
    from benchmarks import wait_tasks

    computed, since = sum(node.cpu_times()[:2]), time.monotonic()
    end = min(began.values()) / 1e9 + HOUR
    until(lambda: time.monotonic() > end - 60, HOUR, pause=5)
    idle = (sum(node.cpu_times()[:2]) - computed) / (time.monotonic() - since)
    bench.forget_marks()
    start = _starts(bench, wait_tasks.async_start, 40)
    until(lambda: len(_marks(bench)["woke"]) == len(began), HOUR, pause=1)
    woke = _marks(bench)["woke"]
    late = sorted((woke[number] - at) / 1e9 - HOUR for number, at in began.items())
    value = ", ".join(f"{late[int((len(late) - 1) * part)] * 1000:.0f}" for part in (0, 0.5, 0.99, 1))
    return [
        ("trigger to first line at the hour's end, ms, p50", f"{statistics.median(start):.2f}", "the same"),
        ("woke late by, ms, min, p50, p99, max", value, "under 1000"),
        ("CPU of the node while they wait, percent of a core", f"{idle * 100:.2f}", "reported"),
    ]


def _starts(bench: Bench, task: "Task[int, None]", count: int) -> Sequence[float]:
    """Return milliseconds from the trigger to the first line, run by run."""
    taken: list[float] = []
    for number in range(count):
        began = time.monotonic_ns()
        task.trigger(number)
        until(partial(_has_started, bench, number), 20, pause=0.0005)
        taken.append((_marks(bench)["start"][number] - began) / 1e6)
    return taken


def _has_started(bench: Bench, number: int) -> bool:
    return number in _marks(bench)["start"]


def _marks(bench: Bench) -> Marks:
    times: Marks = defaultdict(dict)
    for line in bench.marks.read_text().splitlines() if bench.marks.exists() else ():
        what, number, at = line.split()
        times[what][int(number)] = int(at)
    return times


def _waiting(bench: Bench) -> int:
    """Return the number of runs that wait."""
    keys = list(bench.redis.scan_iter("{tf:dev:0}:waits:*", count=5000))
    pipe = bench.redis.pipeline(transaction=False)
    for key in keys:
        pipe.hget(key.replace(b":waits:", b":run:"), "status")
    return sum(status == b"WAITING" for status in pipe.execute())


if __name__ == "__main__":
    sys.exit(main())
