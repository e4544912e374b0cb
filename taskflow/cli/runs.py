"""``taskflow runs``: look at runs and cancel them."""

import json
from typing import Annotated

import typer
from rich.table import Table

from taskflow.cli.application import App, load
from taskflow.cli.output import age, console, print_json, run_dict, runs_table, span, status_text
from taskflow.models import Attempt, Run

app = typer.Typer(help="Look at runs and cancel them.", no_args_is_help=True)
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("get", epilog="Example: taskflow runs get run_00... --json")
def get(run_id: RunId, app: App = None, as_json: AsJson = False) -> None:
    """Show one run: status, attempts, output or error."""
    run = load(app).engine.retrieve_run(run_id)
    if as_json:
        print_json(run_dict(run))
        return
    _show(run)


@app.command("list", epilog="Example: taskflow runs list --limit 50")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most how many.")] = 20,
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """List the newest runs."""
    found = load(app).engine.list_runs(limit)
    if as_json:
        print_json([run_dict(run) for run in found])
    elif found:
        console.print(runs_table(found))
    else:
        console.print('No runs yet. Make one: taskflow trigger hello-world \'{"message": "hi"}\'', highlight=False)


@app.command("cancel", epilog="Example: taskflow runs cancel run_00...")
def cancel(
    run_ids: Annotated[list[str], typer.Argument(metavar="RUN...", help="The runs' ids.")],
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """Cancel runs: those that wait at once, those that execute as soon as their node has stopped them."""
    engine = load(app).engine
    done = {run_id: engine.cancel_run(run_id) for run_id in run_ids}
    if as_json:
        print_json([{"id": run_id, "canceled": was_canceled} for run_id, was_canceled in done.items()])
        return
    for run_id, was_canceled in done.items():
        console.print(f"{run_id} {'canceled' if was_canceled else 'had ended already'}", highlight=False)


def _show(run: Run) -> None:
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_row("run", run.id)
    facts.add_row("task", run.task_id)
    facts.add_row("status", status_text(run.status))
    facts.add_row("queue", run.queue)
    facts.add_row("machine", f"{run.machine} ({run.executor})")
    facts.add_row("created", f"{run.created_at:%Y-%m-%d %H:%M:%S} UTC, {age(run.created_at)} ago")
    if run.due_at:
        facts.add_row("due", f"{run.due_at:%Y-%m-%d %H:%M:%S} UTC")
    if run.tags:
        facts.add_row("tags", ", ".join(run.tags))
    console.print(facts)
    for attempt in run.attempts:
        console.print(_attempt_line(attempt, run.max_attempts), highlight=False, markup=False)
    if run.error:
        console.print(f"\n{run.error.type}: {run.error.message}\n{run.error.traceback}", style="red", markup=False)
    elif run.is_finished:
        console.print(f"\n{json.dumps(run.output, indent=2, ensure_ascii=False)}", markup=False)


def _attempt_line(attempt: Attempt, most: int) -> str:
    took = span(attempt.finished_at - attempt.started_at) if attempt.finished_at else "so far"
    why = f": {attempt.error.type}: {attempt.error.message}" if attempt.error else ""
    return f"  attempt {attempt.number} of {most} on {attempt.node}, {took}, {attempt.outcome or 'EXECUTING'}{why}"
