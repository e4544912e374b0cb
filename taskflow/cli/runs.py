"""``taskflow runs``: shows and follows runs, sends them items, cancels, replays and reschedules them."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from taskflow.cli.application import App, reach_without_tasks
from taskflow.cli.bulk import cancel, replay
from taskflow.cli.filters import takes_filters
from taskflow.cli.output import (
    AsJson,
    counts_table,
    print_json,
    print_json_line,
    run_dict,
    runs_table,
    status_text,
)
from taskflow.cli.printing import show, show_table
from taskflow.cli.run_ids import Last, RunId, chosen_run, whole_id
from taskflow.cli.run_page import show_run
from taskflow.cli.streams import send, stream
from taskflow.definition.calls.run_filter import ALL_RUNS, RunFilter, check_fields
from taskflow.definition.calls.trigger_options import check_due
from taskflow.models import Run, RunStatus

app = typer.Typer(
    help="Look at runs, follow them, send them items, cancel, replay and reschedule them.", no_args_is_help=True
)
_LEVELS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red", "DEBUG": "dim"}


@app.command("get", epilog="Example: taskflow runs get run_00... --json")
def get(run_id: RunId = None, last: Last = False, app: App = None, as_json: AsJson = False) -> None:
    """Show one run: why it does not go on, payload, attempts, steps, waits, children, output or error."""
    flow = reach_without_tasks(app)
    runs = flow.engine.runs
    run = runs.retrieve(chosen_run(flow, run_id, last=last))
    children = {**run.children, **runs.known_children(run.id)}
    if as_json:
        print_json(run_dict(run) | {"children": children})
        return
    show_run(run, children)


@app.command("list", epilog="Example: taskflow runs list --status FAILED --task hello-world --since 1h")
@takes_filters
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most how many.")] = 20,
    app: App = None,
    *,
    where: RunFilter,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first."""
    listed = reach_without_tasks(app).engine.runs.list(limit, where)
    if as_json:
        print_json([run_dict(run) for run in listed])
    elif listed:
        show_table(runs_table(listed))
    elif where != ALL_RUNS:
        show("No such runs.")
    else:
        show('No runs yet. Make one: taskflow trigger hello-world \'{"message": "hi"}\'')


@app.command("count", epilog="Example: taskflow runs count --by status,task --since 1d")
@takes_filters
def count(
    by: Annotated[str, typer.Option(help="Fields, with commas: status, task, queue, machine, executor, version.")] = (
        "status"
    ),
    app: App = None,
    *,
    where: RunFilter,
    as_json: AsJson = False,
) -> None:
    """Count runs by some of their fields."""
    fields = check_fields(tuple(field.strip() for field in by.split(",")))
    counts = reach_without_tasks(app).engine.runs.count(fields, where)
    if as_json:
        print_json([{**dict(zip(fields, values, strict=True)), "count": number} for values, number in counts.items()])
    elif counts:
        show_table(counts_table(fields, counts))
    else:
        show("No such runs.")


@app.command("reschedule", epilog="Example: taskflow runs reschedule run_00... 30m")
def reschedule(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or the beginning of it.")],
    delay: Annotated[str, typer.Argument(help="How long from now: 30s, 5m, 1h30m.")],
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """Let a delayed run start earlier or later."""
    flow = reach_without_tasks(app)
    run_id = whole_id(flow, run_id)
    due = flow.engine.runs.reschedule(run_id, check_due(delay))
    if as_json:
        print_json({"id": run_id, "due_at": due})
    else:
        show(f"{run_id} is due at {due:%Y-%m-%d %H:%M:%S} UTC")


@app.command("resume", epilog="Example: taskflow runs resume run_00... --from charge")
def resume(
    run_id: RunId = None,
    last: Last = False,
    from_step: Annotated[
        str | None,
        typer.Option("--from", metavar="STEP", help="A step's name or key. Default: the first that does not fit."),
    ] = None,
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """Let a run that waits for other code go on with the code that is up: STEP and all after it are done again."""
    flow = reach_without_tasks(app)
    run_id = chosen_run(flow, run_id, last=last)
    status = flow.engine.journals.resume(run_id, from_step)
    if as_json:
        print_json({"id": run_id, "status": status})
    else:
        show(f"{run_id} goes on: it is {status}")


@app.command("watch", epilog="Example: taskflow runs watch run_00...")
def watch(run_id: RunId = None, last: Last = False, app: App = None, as_json: AsJson = False) -> None:
    """Print every change of a run as it happens, until it has ended. Exits 1 unless it completed."""
    flow, run = reach_without_tasks(app), None
    for run in flow.engine.runs.subscribe(chosen_run(flow, run_id, last=last)):
        if as_json:
            print_json_line(run_dict(run))
        else:
            show(f"{datetime.now(UTC):%H:%M:%S}", status_text(run.status), _remark(run))
    if run is None or run.status is not RunStatus.COMPLETED:
        raise typer.Exit(1)


@app.command("logs", epilog="Example: taskflow runs logs run_00... -f")
def logs(
    run_id: RunId = None,
    last: Last = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print lines as they come, until the run ends.")
    ] = False,
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """Print a run's log lines and its spans. Each names its attempt: INFO#2 is a line of the second one."""
    flow = reach_without_tasks(app)
    for line in flow.engine.logs.lines(chosen_run(flow, run_id, last=last), follow=follow):
        if as_json:
            print_json_line(asdict(line))
            continue
        fields = "".join(f" {name}={json.dumps(value, ensure_ascii=False)}" for name, value in line.fields.items())
        level = f"{line.level}#{line.attempt}" if line.attempt else line.level
        shown = f"{line.at:%H:%M:%S} {level:<9} {line.message}{fields}"
        show(shown, style=_LEVELS.get(line.level, ""))


app.command("stream", epilog="Example: taskflow runs stream run_00... tokens -f")(stream)
app.command("send", epilog="""Example: taskflow runs send run_00... approval '{"yes": true}'""")(send)
app.command("cancel", epilog="Example: taskflow runs cancel --task hello-world --since 1h")(cancel)
app.command("replay", epilog="Example: taskflow runs replay --status FAILED --since 1h --yes")(replay)


def _remark(run: Run) -> str:
    if run.error:
        return f"{run.error.type}: {run.error.message}"
    if run.status is RunStatus.EXECUTING and run.attempts:
        return f"attempt {run.attempts[-1].number} of {run.max_attempts} on {run.attempts[-1].node}"
    return f"until {run.due_at:%Y-%m-%d %H:%M:%S} UTC" if run.status is RunStatus.DELAYED and run.due_at else ""
