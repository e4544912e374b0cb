"""Seconds from SIGKILL of the only worker tree of a host to the second start of the run that it executed.

Each try kills a worker with all its processes and starts another one, on the same host or, as root on Linux, on one of
another name.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

TASKS = """
import os, pathlib, time
from taskflow import task

@task(id="second-start")
def second_start(payload: str) -> None:
    with pathlib.Path(payload).open("a") as ledger:
        ledger.write(f"{time.time()}\\n")
    time.sleep(600)
"""


def starts(ledger: Path) -> list[float]:
    """Return the instants at which the run has started."""
    return [float(line) for line in ledger.read_text().split()] if ledger.exists() else []


def wait_for(ledger: Path, count: int) -> float:
    """Wait until the run has started so many times, and return the instant of the last start."""
    deadline = time.monotonic() + 60
    while len(starts(ledger)) < count:
        assert time.monotonic() < deadline, f"start {count} did not come within a minute"
        time.sleep(0.01)
    return starts(ledger)[count - 1]


def start_worker(folder: Path, host: str = "") -> "subprocess.Popen[bytes]":
    """Start a worker of one node, on this host or on one of another name."""
    command = [sys.executable, "-m", "taskflow.cli.main", "worker", "--machine", "small-1x"]
    if host:
        command = ["unshare", "--uts", "sh", "-c", f'hostname {host} && exec "$@"', "sh", *command]
    with (folder / "worker.log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=log, stderr=log)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment variables of the worker and of the client."""
    own = {"PYTHONPATH": f"{folder}:{Path(__file__).parents[1]}", "TASKFLOW_TASKS": "start_tasks"}
    return os.environ | own | {"TASKFLOW_HOME": str(folder / "home"), "TASKFLOW_DATABASE_URL": "none"}


def kill_tree(process: "subprocess.Popen[bytes]") -> None:
    """``kill -9`` a worker and all processes below it."""
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    for each in below:
        if each.is_running() and "valkey" not in each.name():
            each.send_signal(signal.SIGKILL)
    process.wait()


def one_try(folder: Path, number: int, host: str) -> float:
    """Return the seconds from the kill to the second start."""
    ledger = folder / f"ledger-{number}"
    worker = start_worker(folder)
    trigger = f"import start_tasks, taskflow; h = start_tasks.second_start.trigger({str(ledger)!r}); print(h.id)"
    made = subprocess.run([sys.executable, "-c", trigger], env=environment(folder), cwd=folder, capture_output=True)
    run_id = made.stdout.decode().split()[-1]
    wait_for(ledger, 1)
    killed = time.time()
    kill_tree(worker)
    successor = start_worker(folder, host)
    taken = wait_for(ledger, 2) - killed
    cancel = [sys.executable, "-m", "taskflow.cli.main", "runs", "cancel", run_id]
    subprocess.run(cancel, env=environment(folder), cwd=folder, capture_output=True, check=True)
    kill_tree(successor)
    return taken


def main() -> None:
    """Measure, and print each try and the 95th percentile."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.second_start", description=__doc__)
    parser.add_argument("tries", nargs="?", type=int, default=20)
    parser.add_argument("--other-host", action="store_true", help="start the second worker under another host name")
    options = parser.parse_args()
    tries, host = options.tries, "another-host" if options.other_host else ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "start_tasks.py").write_text(TASKS)
        seconds = sorted(one_try(folder, number, host) for number in range(tries))
        stop = "from taskflow import TaskFlow; TaskFlow().stop_embedded_store()"
        subprocess.run([sys.executable, "-c", stop], env=environment(folder), cwd=folder, check=False)
    print(" ".join(f"{each:.2f}" for each in seconds))
    p95 = seconds[max(0, round(0.95 * tries) - 1)]
    print(f"median {statistics.median(seconds):.2f} s, p95 {p95:.2f} s, {tries} tries")


if __name__ == "__main__":
    main()
