"""``taskflow queues``: shows queues, pauses them, and changes their limits while the system runs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from taskflow.cli.application import App, reach_without_tasks
from taskflow.cli.output import AsJson, age, print_json
from taskflow.cli.printing import add_row, make_table, show, show_table
from taskflow.models import QueueState
from taskflow.verbs.queues import queues

app = typer.Typer(help="Look at queues, pause them, change their limits.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="QUEUE", help="The queue's name; a task's own one is task/<task id>.")]
OrAll = Annotated[str | None, typer.Argument(metavar="[QUEUE]", help="The queue's name. None: the whole environment.")]


@app.command("list", epilog="Example: taskflow queues list --json")
def list_(app: App = None, as_json: AsJson = False) -> None:
    """List every queue that is declared or in use, with its limits and load."""
    reach_without_tasks(app)
    states, whole = queues.list(), queues.environment()
    if as_json:
        print_json([_plain(state) for state in states])
        return
    if whole.is_paused:
        show("The environment is paused.", style="yellow")
    if not states:
        show("No queues yet. They are known once a worker has started, or a run was made.")
        return
    show_table(_table(states))


@app.command("get", epilog="Example: taskflow queues get task/hello-world --json")
def get(queue: Name, app: App = None, as_json: AsJson = False) -> None:
    """Show one queue."""
    reach_without_tasks(app)
    state = queues.retrieve(queue)
    print_json(_plain(state)) if as_json else show_table(_table([state]))


@app.command("pause", epilog="Example: taskflow queues pause task/hello-world --reason 'the API is down until 16:00'")
def pause(
    queue: OrAll = None,
    reason: Annotated[str, typer.Option(help="Shown with the queue and with every run that waits for it.")] = "",
    app: App = None,
) -> None:
    """Start no more runs of a queue, or of the whole environment. Runs that execute go on."""
    reach_without_tasks(app)
    queues.pause_environment(reason=reason) if queue is None else queues.pause(queue, reason=reason)
    show(f"{queue or 'the environment'} is paused")


@app.command("resume", epilog="Example: taskflow queues resume task/hello-world")
def resume(queue: OrAll = None, app: App = None) -> None:
    """Let the runs of a paused queue, or of the paused environment, start again."""
    reach_without_tasks(app)
    queues.resume_environment() if queue is None else queues.resume(queue)
    show(f"{queue or 'the environment'} is not paused")


@app.command("override", epilog="Example: taskflow queues override task/hello-world 10")
def override(
    queue: Name, limit: Annotated[int, typer.Argument(min=1, max=100_000, help="Runs at a time.")], app: App = None
) -> None:
    """Replace the declared concurrency limit by another, until ``reset``."""
    reach_without_tasks(app)
    queues.override_concurrency_limit(queue, limit)
    show(f"{queue} runs {limit:,} at a time")


@app.command("reset", epilog="Example: taskflow queues reset task/hello-world")
def reset(queue: Name, app: App = None) -> None:
    """Return to the declared concurrency limit."""
    reach_without_tasks(app)
    queues.reset_concurrency_limit(queue)
    limit = queues.retrieve(queue).concurrency_limit
    show(f"{queue} runs {f'{limit:,} at a time' if limit else 'without a limit'}")


def _plain(state: QueueState) -> dict[str, Any]:
    return asdict(state) | {"is_paused": state.is_paused}


def _table(states: Sequence[QueueState]) -> Table:
    table = make_table("QUEUE", "RUNNING", "QUEUED", "DELAYED", "LIMIT", "PER KEY", "TOTAL", "RATE", "")
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[1:-1]:
        column.justify = "right"
    for state in states:
        load_ = (state.running, state.queued, state.delayed)
        limits = (state.concurrency_limit, state.per_key_limit, state.total_limit, state.rate_limit)
        why = f": {state.paused_note}" if state.paused_note else ""
        notes = [f"paused {age(state.paused_at)} ago by {state.paused_by or '?'}{why}"] if state.paused_at else []
        if state.overridden_at:
            notes.append(f"overridden, declared {state.declared_limit or '-'}")
        texts = ["-" if limit is None else str(limit) for limit in limits]
        add_row(table, state.name, *map(str, load_), *texts, ", ".join(notes))
    return table
