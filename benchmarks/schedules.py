"""The cost of idle schedules: commands and CPU of one worker and its store, with none and with 100,000.

Also how long it takes to add one, and the ticks per second that one node fires.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from taskflow import Settings, TaskFlow
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.store.operations.schedules.calls import NextTick, put_schedule
from taskflow.store.operations.schedules.records import rule_fields

TASKS = """
from taskflow import schedules, ScheduledPayload

@schedules.task(id="idle-tick")
async def tick(payload: ScheduledPayload) -> None: ...
"""


def environment(folder: Path) -> dict[str, str]:
    """Return the environment variables of the worker."""
    own = {"PYTHONPATH": f"{folder}:{Path(__file__).parents[1]}", "TASKFLOW_TASKS": "idle_tasks"}
    return os.environ | own | {"TASKFLOW_HOME": str(folder / "home"), "TASKFLOW_DATABASE_URL": "none"}


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """Return the processor time that processes have used."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def measure(flow: TaskFlow, worker: list[psutil.Process], seconds: float) -> str:
    """Return commands and CPU a second, of the store and of the worker, while nothing is due."""

    def store() -> tuple[int, float]:
        cpu = flow.store.server_info("cpu")
        scripts = flow.store.server_info("commandstats").get("cmdstat_fcall", "calls=0").split(",")[0]
        return int(scripts.partition("=")[2]), float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])

    calls, used, own = *store(), cpu_seconds(worker)
    time.sleep(seconds)
    calls_after, used_after, own_after = *store(), cpu_seconds(worker)
    return (
        f"{(calls_after - calls) / seconds:.1f} scripts/s, store {(used_after - used) / seconds:.2%} of a core, "
        f"worker {(own_after - own) / seconds:.2%} of a core"
    )


def add(flow: TaskFlow, count: int) -> None:
    """Add schedules that are due next year, many in one write."""
    options = ScheduleOptions.checked(cron="0 3 1 1 *", timezone="Europe/Berlin", active=True)
    rule = rule_fields(options, None) | {"task": "idle-tick"}
    tick = flow.engine.schedules.create("idle-tick", options).next_run
    for start in range(0, count, 500):
        puts = [
            put_schedule(f"sched_00{number:030x}", None, rule, NextTick(tick, tick))
            for number in range(start, min(start + 500, count))
        ]
        flow.store.run_many([(put, 0) for put in puts])


def fired(flow: TaskFlow, count: int) -> str:
    """Have schedules fall due at once, and return how late their runs were made."""
    every = [ScheduleOptions.checked(every="1h", deduplication_key=f"due{number}") for number in range(count)]
    listed = [flow.engine.schedules.create("idle-tick", options).id for options in every]
    base, due = flow.store.config.base(0), round((time.time() + 3) * 1000)
    commands = [("HSET", f"{base}:schedule:{each}", "next", due, "due", due) for each in listed]
    flow.store.send([*commands, *(("ZADD", f"{base}:schedules", due, each) for each in listed)])
    time.sleep(8)
    runs = flow.engine.runs.list(1000)
    late = sorted(run.created_at.timestamp() * 1000 - due for run in runs if run.schedule_id in set(listed))
    if not late:
        return "none were fired"
    middle = late[len(late) // 2]
    return f"{len(late)} due at one instant: last run made {late[-1]:.0f} ms after it, median {middle:.0f} ms"


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="idle-"))
    (folder / "idle_tasks.py").write_text(TASKS)
    sys.path.insert(0, str(folder))
    settings = Settings.read(home=folder / "home", database_url="none", tasks=("idle_tasks",))
    flow = TaskFlow(settings).set_default()
    command = [sys.executable, "-m", "taskflow.cli.main", "worker", "--machine", "small-1x"]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=log, stderr=log)
    try:
        while not flow.engine.nodes.list():
            time.sleep(0.1)
        time.sleep(3)
        root = psutil.Process(process.pid)
        worker = [each for each in (root, *root.children(recursive=True)) if "valkey" not in each.name()]
        print("without schedules:", measure(flow, worker, given.seconds), flush=True)
        began = time.perf_counter()
        add(flow, given.schedules)
        print(f"{given.schedules:,} added in {time.perf_counter() - began:.1f} s", flush=True)
        began = time.perf_counter()
        flow.engine.schedules.create("idle-tick", ScheduleOptions.checked(cron="0 3 1 1 *"))
        print(f"one more: {(time.perf_counter() - began) * 1000:.1f} ms", flush=True)
        time.sleep(35)  # one sweep
        print(f"with {given.schedules:,}:", measure(flow, worker, given.seconds), flush=True)
        print(json.dumps(fired(flow, 900)))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        flow.stop_embedded_store()


if __name__ == "__main__":
    main()
