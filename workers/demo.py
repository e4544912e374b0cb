"""``make run``: start the workers, trigger every example task, watch the runs to their end, print a summary."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from datetime import UTC, datetime
from typing import cast

from rich.console import Console
from rich.live import Live
from rich.table import Table

from taskflow import Run, RunHandle, RunStatus, runs
from workers import flow
from workers.tasks import Greeting, Work, fetch_all, flaky, greet_everyone, heavy_task, hello_world, one_at_a_time

console = Console(width=None if sys.stdout.isatty() else 120)
Handle = RunHandle[str] | RunHandle[float] | RunHandle[int] | RunHandle[list[str]]
DEADLINE_SECONDS = 120
COLORS = {RunStatus.COMPLETED: "green", RunStatus.EXECUTING: "cyan", RunStatus.REATTEMPTING: "yellow"}


def main() -> int:
    """Run the demonstration. Returns 0 when every run has completed, else 1."""
    began = time.monotonic()
    with workers():
        handles = trigger_all()
        watched = watch(handles)
        console.print(summary(watched, time.monotonic() - began))
    flow.stop_embedded_store()
    return 0 if all(run.status is RunStatus.COMPLETED for run in watched) else 1


@contextlib.contextmanager
def workers() -> Generator[None]:
    """Run ``taskflow worker --machine all`` while the block executes: a worker for each machine class in use."""
    console.print("[bold]Starting workers[/]: taskflow worker --machine all  [dim](log: .taskflow/demo.log)[/]")
    with open(".taskflow/demo.log", "w") as log:
        command = [sys.executable, "-m", "taskflow.cli.main", "worker", "-A", "workers", "--machine", "all"]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def trigger_all() -> list[Handle]:
    """Trigger every example."""
    return [
        hello_world.trigger(Greeting(message="taskflow")),
        flaky.trigger(3),
        *(one_at_a_time.trigger(Work(seconds=0.5)) for _ in range(4)),
        heavy_task.trigger(Work(seconds=0.5)),
        *(fetch_all.trigger(Work(seconds=0.5)) for _ in range(20)),
        greet_everyone.trigger(["Ada", "Grace"]),
        hello_world.trigger(Greeting(message="later"), delay=2),
    ]


def watch(handles: list[Handle]) -> list[Run]:
    """Show the runs until all have ended, and return them."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    with Live(console=console, refresh_per_second=8) as live:
        while True:
            shown = [handle.retrieve() for handle in handles]
            shown += [
                runs.retrieve(run_id) for run in shown if run.task_id == "greet-everyone" for run_id in triggered(run)
            ]
            live.update(table(shown))
            if all(run.is_finished for run in shown) or time.monotonic() > deadline:
                return shown
            time.sleep(0.2)


def triggered(run: Run) -> list[str]:
    """Return the ids of the runs that a greet-everyone run has triggered: its output."""
    return [str(run_id) for run_id in cast("list[str]", run.output or [])]


def table(watched: list[Run]) -> Table:
    """Return the live table: one row for each task, with the statuses of its runs."""
    shown = Table(title="Example runs", header_style="bold")
    for heading in ("task", "machine", "runs", "status", "attempts", "took"):
        shown.add_column(heading, no_wrap=True)
    shown.add_column("result", no_wrap=True, max_width=max(12, console.width - 84))
    for task_id in dict.fromkeys(run.task_id for run in watched):
        group = [run for run in watched if run.task_id == task_id]
        last = group[-1]
        shown.add_row(
            task_id,
            last.machine,
            str(len(group)),
            statuses(group),
            str(max(len(run.attempts) for run in group)),
            f"{max(took(run) for run in group):.1f}s",
            str(group[0].output or (group[0].error.message if group[0].error else "")),
        )
    return shown


def statuses(group: list[Run]) -> str:
    """Return the number of runs in each status, colored."""
    counts = {status: sum(run.status is status for run in group) for status in RunStatus}
    return " ".join(
        f"[{COLORS.get(status, 'red' if status.is_failed else 'blue')}]{status.value} {count}[/]"
        for status, count in counts.items()
        if count
    )


def took(run: Run) -> float:
    """Return the seconds from the trigger to the end, or until now."""
    return ((run.finished_at or datetime.now(UTC)) - run.created_at).total_seconds()


def summary(watched: list[Run], seconds: float) -> str:
    """Return the last line of the output."""
    completed = sum(run.status is RunStatus.COMPLETED for run in watched)
    retried = sum(len(run.attempts) > 1 for run in watched)
    color = "green" if completed == len(watched) else "red"
    return (
        f"[bold {color}]{completed} of {len(watched)} runs COMPLETED[/] in {seconds:.1f} s, {retried} after a retry. "
        "Look at one: [bold]taskflow runs list[/]"
    )


if __name__ == "__main__":
    sys.exit(main())
