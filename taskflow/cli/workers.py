"""``taskflow workers``: which workers are up, which version they run, and what they have registered."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from taskflow.cli.application import App, load
from taskflow.cli.output import age, console, print_json
from taskflow.store.operations.registration import Registrations

app = typer.Typer(help="Look at workers and the tasks they have registered.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list", epilog="Example: taskflow workers list --json")
def list_(app: App = None, as_json: AsJson = False) -> None:
    """List the workers that are up, and every task that workers have ever registered."""
    found = load(app).engine.read_workers()
    if as_json:
        print_json(asdict(found))
        return
    console.print(_workers(found) if found.workers else "No worker is up. Start one: taskflow worker --machine all")
    if found.tasks:
        console.print()
        console.print(_tasks(found))


def _workers(found: Registrations) -> Table:
    rows = [
        (
            worker.id,
            worker.version or "-",
            str(worker.concurrency),
            age(worker.since),
            ", ".join(worker.queues) or "draining",
        )
        for worker in found.workers
    ]
    return _table(("WORKER", "VERSION", "RUNS", "UP", "CELERY QUEUES"), rows)


def _tasks(found: Registrations) -> Table:
    rows = [(task.id, task.version or "-", task.class_name, task.queue) for task in found.tasks]
    return _table(("TASK", "VERSION", "CLASS", "QUEUE"), rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
