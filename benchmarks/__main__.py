"""Measures taskflow and plain Celery in the same run, interleaved, and prints medians and ratios."""

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import import_time
from taskflow import TaskFlow
from taskflow.embedded.program import bundled_binary
from taskflow.worker.attempt.runtime import runtime_of

PAYLOAD = {"data": "x" * 80}
ASYNC_POOL = "taskflow.worker.coroutines.pool:AsyncPool"
console = Console(width=None if sys.stdout.isatty() else 110)


class Bench:
    """A Valkey without persistence, and workers of both systems on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.marks = folder / "marks"
        self.socket = folder / "valkey.sock"
        self._server = self._start_server()
        os.environ["BENCH_BROKER"] = f"redis+socket://{self.socket}?virtual_host=1"
        os.environ["BENCH_MARKS"] = str(self.marks)
        os.environ["TASKFLOW_HOME"] = str(folder)
        os.environ["TASKFLOW_REDIS_URL"] = f"unix://{self.socket}?db=0"
        os.environ["TASKFLOW_TASKS"] = "benchmarks.bench_tasks"
        self.redis: Any = redis.Redis(unix_socket_path=str(self.socket))
        until(self.socket.exists, 5)

    def _start_server(self) -> "subprocess.Popen[bytes]":
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self.folder)]
        return subprocess.Popen([str(bundled_binary()), *options], stdout=subprocess.DEVNULL)

    def restart_server(self) -> None:
        """Stop the server and start it again with its data."""
        self.redis.shutdown(save=True)
        self._server.wait(60)
        self._server = self._start_server()
        until(lambda: self.socket.exists() and self.redis.ping(), 60)

    def close(self) -> None:
        """End the server."""
        self._server.terminate()
        self._server.wait(5)

    @contextmanager
    def worker(self, app: str, queue: str, *options: str) -> Generator[int]:
        """Run one Celery worker until it is ready, and end it afterwards."""
        command = [sys.executable, "-m", "celery", "-A", app, "worker", "-Q", queue, "--loglevel", "INFO"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-n", f"w{time.monotonic_ns()}@%h"]
        log = self.folder / f"{time.monotonic_ns()}.log"
        env = os.environ | {"CELERY_CUSTOM_WORKER_POOL": ASYNC_POOL}
        with log.open("wb") as output:
            process = subprocess.Popen([*command, *quiet, *options], stdout=output, stderr=output, env=env)
        try:
            until(lambda: " ready." in log.read_text(), 30)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    def drained(self, count: int, timeout: float = 60) -> float:
        """Return runs a second from the first mark to the last, once ``count`` runs are done."""
        self.wait_for_marks(count, timeout)
        times = [int(line) for line in self._lines()]
        return (len(times) - 1) / ((max(times) - min(times)) / 1e9)

    def wait_for_marks(self, count: int, timeout: float) -> None:
        """Wait until there are so many marks."""
        until(lambda: len(self._lines()) >= count, timeout)

    def _lines(self) -> list[bytes]:
        return self.marks.read_bytes().splitlines() if self.marks.exists() else []

    def reset(self) -> None:
        """Remove all data, but register the tasks again, so that their runs are not PENDING_VERSION."""
        self.redis.flushall()
        runtime_of(TaskFlow.current().celery).declare()
        self.forget_marks()

    def forget_marks(self) -> None:
        """Empty the file of marks, which workers keep open."""
        self.marks.write_bytes(b"")

    def settle(self) -> None:
        """Wait until no run is left and the worker has sent its last reports."""
        until(lambda: not self.redis.exists("{tf:dev:0}:live"), 60)
        time.sleep(2)

    def commands(self) -> int:
        """Return the number of commands that clients have sent, without those of scripts."""
        stats = bench_stats(self.redis.info("commandstats"))
        return sum(stats.get(name, 0) for name in ("fcall", "blmpop", "brpop", "xread", "xreadgroup", "lpush", "rpush"))

    def memory(self) -> int:
        """Return the server's memory in bytes."""
        return int(self.redis.info("memory")["used_memory"])


def bench_stats(commandstats: dict[str, dict[str, int]]) -> dict[str, int]:
    """Return the calls of each command."""
    return {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in commandstats.items()}


def main() -> int:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="paired rounds; medians are printed")
    parser.add_argument("--runs", type=int, default=3000, help="runs of one throughput sample")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tfb-") as folder:
        bench = Bench(Path(folder))
        try:
            _measure(bench, options.rounds, options.runs)
        finally:
            bench.close()
    return 0


Note = Callable[[str, float], None]
CELERY_QUEUE, SHARED, COROUTINES = "plain", "dev.small-1x.process", "dev.small-1x.async"
PREFORK, APP = ("-c", "2", "-O", "fair"), "taskflow.fleet"


def _measure(bench: Bench, rounds: int, runs: int) -> None:
    samples: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        samples.setdefault(name, []).append(value)

    _measure_triggers(bench, rounds, note)
    _measure_throughput(bench, rounds, runs, note)
    os.environ["TASKFLOW_DATABASE_URL"] = "none"
    _measure_latency(bench, rounds, note)
    _measure_many_coroutines(bench, note)
    _measure_memory(bench, note)
    _report({name: statistics.median(values) for name, values in samples.items()} | import_time.measure())


def _rate(call: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        call()
    return count / (time.perf_counter() - began)


def _measure_triggers(bench: Bench, rounds: int, note: Note) -> None:
    from benchmarks import bench_tasks as tasks  # reads the environment made above

    for _ in track(range(rounds), description="trigger", console=console):
        bench.reset()
        tasks.noop.trigger(PAYLOAD)  # registers the template
        note("trigger", _rate(lambda: tasks.noop.trigger(PAYLOAD), 1000))
        note("delay", _rate(lambda: tasks.plain_noop.delay(PAYLOAD), 1000))
        note("ping", _rate(bench.redis.ping, 1000))
        bench.reset()
        tasks.noop.trigger(PAYLOAD)
        note("batch", 10_000 * _rate(lambda: tasks.noop.batch_trigger([PAYLOAD] * 10_000), 1))


def _measure_throughput(bench: Bench, rounds: int, runs: int, note: Note) -> None:
    from benchmarks import bench_tasks as tasks  # reads the environment made above

    for _ in track(range(rounds), description="throughput", console=console):
        bench.reset()
        for _ in range(runs):
            tasks.plain_noop.delay(PAYLOAD)
        with bench.worker("benchmarks.bench_tasks:plain", CELERY_QUEUE, *PREFORK):
            note("celery runs/s", bench.drained(runs))
        for history, label in (("none", ""), (f"sqlite:///{bench.folder}/history.db", " with history")):
            os.environ["TASKFLOW_DATABASE_URL"] = history  # the workers read it
            bench.reset()
            for _ in range(runs):
                tasks.noop.trigger(PAYLOAD)
            with bench.worker(APP, SHARED, *PREFORK):
                note(f"process runs/s{label}", bench.drained(runs))
            bench.reset()
            for _ in range(runs * 4):
                tasks.async_noop.trigger(PAYLOAD)
            pool = ("-P", "custom", "-c", "200")
            with bench.worker(APP, COROUTINES, *pool), bench.worker(APP, COROUTINES, *pool):
                note(f"async runs/s{label}", bench.drained(runs * 4))


def _measure_latency(bench: Bench, rounds: int, note: Note) -> None:
    from benchmarks import bench_tasks as tasks  # reads the environment made above

    bench.reset()
    with bench.worker(APP, SHARED, *PREFORK), bench.worker("benchmarks.bench_tasks:plain", CELERY_QUEUE, *PREFORK):
        for _ in track(range(rounds), description="latency", console=console):
            for name, trigger in (("process", tasks.noop.trigger), ("celery", tasks.plain_noop.delay)):
                note(f"{name} start ms", statistics.median(_start(bench, trigger) for _ in range(40)))
            note(
                "trigger+result ms",
                statistics.median(_timed(lambda: tasks.noop.trigger(PAYLOAD).result(5)) for _ in range(40)),
            )


def _measure_many_coroutines(bench: Bench, note: Note) -> None:
    from benchmarks import bench_tasks as tasks  # reads the environment made above

    bench.reset()
    with bench.worker(APP, COROUTINES, "-P", "custom", "-c", "2000"):
        note("async start ms", statistics.median(_start(bench, tasks.async_noop.trigger) for _ in range(40)))
        for _ in range(3):
            bench.forget_marks()
            began = time.monotonic_ns()
            for _ in range(2000):
                tasks.sleep.trigger(0.1)
            bench.drained(2000)
            note("2000 sleeps s", (max(map(int, bench.marks.read_text().split())) - began) / 1e9)
        bench.settle()
        before = bench.commands()
        time.sleep(10)  # the measurement itself: an idle worker's commands
        note("idle commands/s", (bench.commands() - before) / 10)


def _measure_memory(bench: Bench, note: Note) -> None:
    from benchmarks import bench_tasks as tasks  # reads the environment made above

    bench.reset()
    tasks.async_noop.trigger(PAYLOAD)
    empty = bench.memory()
    for _ in range(5000):
        tasks.async_noop.trigger(PAYLOAD)
    note("bytes a queued run", (bench.memory() - empty) / 5000)
    with bench.worker(APP, COROUTINES, "-P", "custom", "-c", "200"):
        bench.drained(5001)
        note("bytes a finished run", (bench.memory() - empty) / 5000)


def _start(bench: Bench, trigger: Callable[[Any], object]) -> float:
    """Return milliseconds from the trigger to the first line of the task, on an idle worker."""
    size = bench.marks.stat().st_size if bench.marks.exists() else 0
    began = time.monotonic_ns()
    trigger(PAYLOAD)
    until(lambda: bench.marks.exists() and bench.marks.stat().st_size > size, 5, pause=0.0002)
    return (int(bench.marks.read_bytes().splitlines()[-1]) - began) / 1e6


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _report(figures: dict[str, float]) -> None:
    table = Table(title=f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for heading in ("what", "taskflow", "Celery", "ratio", "target"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    rows = [
        ("trigger/s against delay()/s", "trigger", "delay", "at least 4"),
        ("batch_trigger of 10,000, runs/s against delay()/s", "batch", "delay", "at least 15"),
        ("trigger/s against a bare PING", "trigger", "ping", "at least 0.5"),
        ("no-op runs/s, process, 2 children", "process runs/s", "celery runs/s", "at least 1.5"),
        ("no-op runs/s, async, 2 nodes", "async runs/s", "celery runs/s", "at least 5"),
        ("... with history in SQLite, process", "process runs/s with history", "celery runs/s", "reported"),
        ("... with history in SQLite, async", "async runs/s with history", "celery runs/s", "reported"),
        ("trigger to first line, ms, process", "process start ms", "celery start ms", "at most 1"),
        ("trigger to first line, ms, async", "async start ms", "celery start ms", "at most 1"),
    ]
    rows.append(("import, CPU ms, against pydantic and its settings", "import ms", "pydantic import ms", "at most 1.5"))
    for what, ours, theirs, target in rows:
        ratio = figures[ours] / figures[theirs]
        table.add_row(what, f"{figures[ours]:,.2f}", f"{figures[theirs]:,.2f}", f"{ratio:.2f}", target)
    for name in ("trigger+result ms", "2000 sleeps s", "idle commands/s", "bytes a queued run", "bytes a finished run"):
        table.add_row(name, f"{figures[name]:,.2f}", "", "", "reported")
    console.print(table)


def until(predicate: Callable[[], bool], seconds: float, pause: float = 0.01) -> None:
    """Return when a condition is true.

    Raises:
        TimeoutError: It was not true within the seconds.
    """
    deadline = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > deadline:
            raise TimeoutError("the benchmark did not get on")
        time.sleep(pause)


if __name__ == "__main__":
    sys.exit(main())
