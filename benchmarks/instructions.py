"""Counts the instructions of a trigger, of a batch's item and of a no-op run, here and in another checkout.

``python -m benchmarks.instructions --against ../other``: counts differ by 0.1% between two calls, where the time of the
same work differs by 20% on a shared machine. It needs valgrind, and the other checkout an environment in ``.venv``.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track
from rich.table import Table

from taskflow.embedded.program import bundled_binary

HERE: Final = Path(__file__).parents[1]
_IMPORT: Final = "from benchmarks import bench_tasks as tasks\n"
_PAYLOAD: Final = "{'data': 'x' * 80}"
_CLIENT: Final = {
    "trigger": f"for _ in range(COUNT): tasks.noop.trigger({_PAYLOAD})",
    "batch_trigger, an item": f"tasks.noop.batch_trigger([{_PAYLOAD}] * COUNT)",
}
_WORKER: Final = {
    "no-op run, process": ("noop", ("-Q", "dev.small-1x.process", "-c", "1", "-O", "fair")),
    "no-op run, async": ("async_noop", ("-Q", "dev.small-1x.async", "-P", "custom", "-c", "100")),
}
_FEW, _MANY = 50, 450
"""The difference of two counts is free of what the start and the end of the processes cost."""
_REST_SECONDS: Final = 3.0
"""Time after the last run, in which its outcome is written."""


@contextmanager
def store(folder: Path, *, is_counted: bool = False) -> Generator[dict[str, str]]:
    """Run an empty Valkey, and lend the environment of processes that use it."""
    socket = folder / "v.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    command = [*(_counting(folder) if is_counted else ()), str(bundled_binary()), *options]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _until(socket.exists, 30)
        yield os.environ | {
            "PYTHONHASHSEED": "0",
            "BENCH_BROKER": f"redis+socket://{socket}?virtual_host=1",
            "BENCH_MARKS": str(folder / "marks"),
            "CELERY_CUSTOM_WORKER_POOL": "taskflow.worker.coroutines.pool:AsyncPool",
            "TASKFLOW_DATABASE_URL": "none",
            "TASKFLOW_HOME": str(folder),
            "TASKFLOW_REDIS_URL": f"unix://{socket}?db=0",
            "TASKFLOW_TASKS": "benchmarks.bench_tasks",
            "TASKFLOW_CONNECT_TIMEOUT": "PT300S",  # a store under valgrind on a busy machine answers late
            "TASKFLOW_LEASE": "PT300S",
            "TASKFLOW_HEARTBEAT": "PT60S",
        }
    finally:
        server.terminate()
        server.wait(60)


def client(statement: str, checkout: Path, count: int) -> int:
    """Return the instructions of a process that triggers, and of its store."""
    total = 0
    for of_store in (False, True):
        with tempfile.TemporaryDirectory(prefix="tfi-") as name:
            folder = Path(name)
            with store(folder, is_counted=of_store) as env:
                prefix = () if of_store else _counting(folder)
                code = _IMPORT + statement.replace("COUNT", str(count))
                subprocess.run([*prefix, _python(checkout), "-c", code], env=env, cwd=checkout, check=True)
            total += _counted(folder)
    return total


def worker(task: str, options: Sequence[str], checkout: Path, count: int, seconds: float = 0.0) -> tuple[int, float]:
    """Return the instructions of a worker, its children included, that executes runs, and the seconds that it lived.

    Args:
        seconds: The least time from its first run to its end.
    """
    with tempfile.TemporaryDirectory(prefix="tfi-") as name:
        folder = Path(name)
        with store(folder) as env:
            code = f"{_IMPORT}for _ in range({count}): tasks.{task}.trigger({_PAYLOAD})"
            subprocess.run([_python(checkout), "-c", code], env=env, cwd=checkout, check=True)
            quiet = ("--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat")
            celery = (_python(checkout), "-m", "celery", "-A", "taskflow.fleet", "worker", *options, *quiet)
            with (folder / "log").open("wb") as log:
                process = subprocess.Popen([*_counting(folder), *celery], env=env, cwd=checkout, stdout=log, stderr=log)
            marks = folder / "marks"
            try:
                _until(lambda: _lines(marks) >= 1, 600)
                began = time.monotonic()
                _until(lambda: _lines(marks) >= count, 600)
                time.sleep(max(_REST_SECONDS, began + seconds - time.monotonic()))
                lived = time.monotonic() - began
                process.send_signal(signal.SIGTERM)
                process.wait(60)
            finally:
                process.kill()
        return _counted(folder), lived


def per_trigger(statement: str, checkout: Path) -> float:
    """Return the instructions of one more trigger."""
    return (client(statement, checkout, _MANY) - client(statement, checkout, _FEW)) / (_MANY - _FEW)


def per_run(task: str, options: Sequence[str], checkout: Path) -> float:
    """Return the instructions of one more run.

    Both workers live for the same time: what a worker does by the clock (its waits for tickets, what upkeep imports at
    its first turns) would otherwise count for the runs.
    """
    many, lived = worker(task, options, checkout, _MANY)
    few, _ = worker(task, options, checkout, _FEW, lived)
    return (many - few) / (_MANY - _FEW)


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout, the base of the ratios")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("valgrind is not installed: apt-get install valgrind", file=sys.stderr)
        return 2
    checkouts = [HERE, *([options.against.resolve()] if options.against else [])]
    measures: dict[str, Callable[[Path], float]] = {
        **{what: partial(per_trigger, statement) for what, statement in _CLIENT.items()},
        **{what: partial(per_run, *of) for what, of in _WORKER.items()},
    }
    table = Table("thousand instructions", *[str(checkout) for checkout in checkouts], "ratio")
    for what, measure in track(measures.items(), description="count", console=Console(stderr=True)):
        each = [measure(checkout) / 1000 for checkout in checkouts]
        table.add_row(what, *[f"{value:,.1f}" for value in each], f"{each[0] / each[1]:.3f}" if each[1:] else "")
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 0


def _counting(folder: Path) -> tuple[str, ...]:
    return ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={folder}/count.%p")


def _counted(folder: Path) -> int:
    texts = [path.read_text() for path in folder.glob("count.*")]
    return sum(int(found[1]) for text in texts if (found := re.search(r"Collected : (\d+)", text)))


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _python(checkout: Path) -> str:
    return str(checkout / ".venv/bin/python")


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the processes under valgrind did not get on")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
