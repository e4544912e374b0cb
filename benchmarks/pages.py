"""Times of the dashboard's pages on a history of a million runs, on the server's side, without a socket.

``python -m benchmarks.pages ~/.cache/taskflow/shop.db`` makes the history first, unless it is there.
It needs a store: TASKFLOW_REDIS_URL, or the embedded one.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import time
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.history_maker import RUNS, made_history
from taskflow import TaskFlow
from taskflow.definition.calls.users import Role
from taskflow.errors import TaskflowError
from taskflow.server.app import create_app
from taskflow.server.dashboard.sign_in.sessions import session_cookie
from taskflow.settings import Settings

PAGES: Final = (
    "runs",
    "runs?status=FAILED",
    "runs?task=label-render",
    "runs?tag=customer-77",
    "runs?error=Connection%20refused",
    "runs?error=no%20such%20text",
    "tasks?period=1h",
    "tasks",
    "tasks?period=7d",
    "tasks/label-render",
    "tasks/label-render?period=30d",
    "errors",
    "errors?period=30d",
    "alerts",
    "schedules",
    "tokens",
)


async def measure(flow: TaskFlow, repeat: int) -> list[tuple[str, int, float, float, float]]:
    """Return path, status, and median of the time, 95 % of it and median of the CPU time in ms of each page.

    The CPU time is that of server and client, which are one process here.
    """
    users = flow.engine.users
    user = await users.aread("benchmark")
    assert user is not None
    secret = await users.aopen_session(user, "")
    transport = httpx.ASGITransport(app=create_app(flow))
    found: list[tuple[str, int, float, float, float]] = []
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://bench.test",
        cookies={session_cookie(flow.settings.environment): secret},
        timeout=60,
    ) as client:
        for path in PAGES:
            took: list[float] = []
            used: list[float] = []
            status = 0
            for _ in range(repeat + 1):
                began, cpu = time.perf_counter(), time.process_time()
                status = (await client.get(f"/{flow.settings.environment}/{path}")).status_code
                took.append((time.perf_counter() - began) * 1000)
                used.append((time.process_time() - cpu) * 1000)
            ordered = sorted(took[1:])
            middle, most = statistics.median(ordered), ordered[int(len(ordered) * 0.95)]
            found.append((path, status, middle, most, statistics.median(used[1:])))
    return found


def main() -> None:
    """Make the history if it is not there, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--repeat", type=int, default=20)
    options = parser.parse_args()
    made_history(options.path, "dev", options.runs)
    os.environ["TASKFLOW_DATABASE_URL"] = f"sqlite:///{options.path.absolute()}"
    flow = TaskFlow(Settings.read())
    with contextlib.suppress(TaskflowError):  # the user is there from the last time
        flow.engine.users.add("benchmark", Role.ADMIN, "none")
    table = Table("page", "status", "median, ms", "95 %, ms", "CPU, ms", box=None, pad_edge=False)
    for path, status, median, most, cpu in asyncio.run(measure(flow, options.repeat)):
        table.add_row(path, str(status), f"{median:.0f}", f"{most:.0f}", f"{cpu:.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
