"""``taskflow workers``: shows the workers that are up, their versions, and the tasks that workers have registered."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from taskflow.cli.application import App, load_without_tasks
from taskflow.cli.output import AsJson, age, print_json
from taskflow.cli.printing import add_row, make_table, show, show_table
from taskflow.store.operations.registration import Registrations

app = typer.Typer(help="Look at workers and the tasks they have registered.", no_args_is_help=True)


@app.command("list", epilog="Example: taskflow workers list --json")
def list_(app: App = None, as_json: AsJson = False) -> None:
    """List the workers that are up, and every task that workers have ever registered."""
    registered = load_without_tasks(app).engine.nodes.registrations()
    if as_json:
        print_json(asdict(registered))
        return
    if registered.workers:
        show_table(_workers(registered))
    else:
        show("No worker is up. Start one: taskflow worker --machine all")
    if registered.tasks:
        show("")
        show_table(_tasks(registered))
    faults = {fault: worker.id for worker in registered.workers for fault in worker.faults.items()}
    if faults:
        show("")
        rows = [(task, worker, why) for (task, why), worker in sorted(faults.items())]
        show_table(_table(("NOT SERVED", "BY", "BECAUSE"), rows))


@app.command("drain", epilog="Example: taskflow workers drain celery@host.4711.8c1f02ab")
def drain(
    worker: Annotated[str, typer.Argument(metavar="WORKER", help="As `taskflow workers list` shows it.")],
    app: App = None,
) -> None:
    """Have a worker take no new runs and end: those it executes have TASKFLOW_SHUTDOWN_GRACE to end."""
    load_without_tasks(app).engine.nodes.drain(worker)
    show(
        f"{worker} drains. It ends once its runs have ended or were interrupted; `taskflow worker` does not restart it."
    )


def _workers(registered: Registrations) -> Table:
    rows = [
        (
            worker.id,
            worker.version or "-",
            str(worker.concurrency),
            age(worker.since),
            ", ".join(worker.queues) or "draining",
        )
        for worker in registered.workers
    ]
    return _table(("WORKER", "VERSION", "RUNS", "UP", "CELERY QUEUES"), rows)


def _tasks(registered: Registrations) -> Table:
    rows = [(task.id, task.version or "-", task.class_name, task.queue) for task in registered.tasks]
    return _table(("TASK", "VERSION", "CLASS", "QUEUE"), rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = make_table(*headings)
    for row in rows:
        add_row(table, *row)
    return table
