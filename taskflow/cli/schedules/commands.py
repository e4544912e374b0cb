"""``taskflow schedules``: shows, makes and changes schedules, and computes what a cron expression means."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from taskflow.cli.application import App, reach_without_tasks
from taskflow.cli.output import AsJson, print_json
from taskflow.cli.printing import show, show_table
from taskflow.cli.schedules.imports import import_
from taskflow.cli.schedules.next_instants import NextCommand, next_
from taskflow.cli.schedules.pages import as_dict, schedule_page, schedules_table
from taskflow.definition.scheduling.schedule import Schedule
from taskflow.errors import ScheduleError
from taskflow.verbs.schedules import schedules

app = typer.Typer(help="Schedules: runs that are made by cron or at a period.", no_args_is_help=True)
ScheduleId = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's id.")]
Cron = Annotated[str | None, typer.Option(help='Cron expression, quoted: "0 3 * * *".')]
Every = Annotated[str | None, typer.Option(help="Period instead: 90s, 2h.")]
Timezone = Annotated[str | None, typer.Option(help="IANA time zone of the expression. Default: UTC.")]
Overlap = Annotated[str | None, typer.Option(help="allow, skip, queue or cancel_previous.")]
CatchUp = Annotated[str | None, typer.Option(help="none, last or all.")]
Jitter = Annotated[str | None, typer.Option(help="Fire up to this much later: 10m, 30%.")]
ExternalId = Annotated[str | None, typer.Option(help="Text that the runs get in their payload.")]
Payload = Annotated[str | None, typer.Option(metavar="JSON", help="The runs' payload, instead of the tick's.")]

app.command(
    "next",
    cls=NextCommand,
    epilog='Example: taskflow schedules next "30 2 * * *" --timezone Europe/Berlin --count 3',
)(next_)
app.command("import", epilog="Example: taskflow schedules import shop.celery --dry-run")(import_)


@app.command("list", epilog="Example: taskflow schedules list --task nightly-report")
def list_(
    page: Annotated[int, typer.Option(min=1, help="Page, from 1.")] = 1,
    per_page: Annotated[int, typer.Option(min=1, max=1000, help="Schedules on a page.")] = 50,
    task: Annotated[str | None, typer.Option(help="Only those of this task.")] = None,
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """List schedules with their next and last ticks, in the order of their making."""
    reach_without_tasks(app)
    found = schedules.list(page=page, per_page=per_page, task=task)
    if as_json:
        print_json({"schedules": [as_dict(each) for each in found], "page": page, "pages": found.pages})
        return
    show_table(schedules_table(found)) if found else show("No such schedules.")
    if found.pages > page:
        show(f"page {page} of {found.pages}: --page {page + 1}", style="dim")


@app.command("get", epilog="Example: taskflow schedules get sched_00...")
def get(schedule_id: ScheduleId, app: App = None, as_json: AsJson = False) -> None:
    """Show one schedule, with its next ten ticks."""
    reach_without_tasks(app)
    _print(schedules.retrieve(schedule_id), as_json)


@app.command("create", epilog='Example: taskflow schedules create nightly --cron "0 3 * * *" --timezone Europe/Berlin')
def create(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")],
    cron: Cron = None,
    every: Every = None,
    timezone: Timezone = None,
    deduplication_key: Annotated[str | None, typer.Option(help="Two calls with one key make one schedule.")] = None,
    external_id: ExternalId = None,
    payload: Payload = None,
    overlap: Overlap = None,
    catch_up: CatchUp = None,
    jitter: Jitter = None,
    inactive: Annotated[bool, typer.Option("--inactive", help="It fires once it is activated.")] = False,
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """Make a schedule, or change the one that has the deduplication key."""
    reach_without_tasks(app)
    given = {
        "cron": cron,
        "every": every,
        "timezone": timezone,
        "deduplication_key": deduplication_key,
        "external_id": external_id,
        "payload": _parsed(payload),
        "overlap": overlap,
        "catch_up": catch_up,
        "jitter": jitter,
        "active": False if inactive else None,
    }
    _print(schedules.create(task, **_given(given)), as_json)


@app.command("update", epilog='Example: taskflow schedules update sched_00... --cron "0 4 * * *"')
def update(
    schedule_id: ScheduleId,
    cron: Cron = None,
    every: Every = None,
    timezone: Timezone = None,
    task: Annotated[str | None, typer.Option(help="Another task.")] = None,
    external_id: ExternalId = None,
    payload: Payload = None,
    overlap: Overlap = None,
    catch_up: CatchUp = None,
    jitter: Jitter = None,
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """Change a schedule. What is left out stays as it is; a changed rule fires nothing by itself."""
    reach_without_tasks(app)
    given = {
        "cron": cron,
        "every": every,
        "timezone": timezone,
        "task": task,
        "external_id": external_id,
        "payload": _parsed(payload),
        "overlap": overlap,
        "catch_up": catch_up,
        "jitter": jitter,
    }
    _print(schedules.update(schedule_id, **_given(given)), as_json)


@app.command("activate", epilog="Example: taskflow schedules activate sched_00...")
def activate(schedule_id: ScheduleId, app: App = None, as_json: AsJson = False) -> None:
    """Let a schedule fire again."""
    reach_without_tasks(app)
    _print(schedules.activate(schedule_id), as_json)


@app.command("deactivate", epilog="Example: taskflow schedules deactivate sched_00...")
def deactivate(schedule_id: ScheduleId, app: App = None, as_json: AsJson = False) -> None:
    """Let a schedule fire no more until it is activated."""
    reach_without_tasks(app)
    _print(schedules.deactivate(schedule_id), as_json)


@app.command("delete", epilog="Example: taskflow schedules delete sched_00...")
def delete(schedule_id: ScheduleId, app: App = None, as_json: AsJson = False) -> None:
    """Delete a schedule. Its runs stay."""
    reach_without_tasks(app)
    schedules.delete(schedule_id)
    print_json({"id": schedule_id}) if as_json else show(f"{schedule_id} is deleted")


@app.command("run", epilog="Example: taskflow schedules run sched_00...")
def run(schedule_id: ScheduleId, app: App = None, as_json: AsJson = False) -> None:
    """Make a run now, besides the ticks, and print its id."""
    reach_without_tasks(app)
    handle = schedules.run_now(schedule_id)
    print_json({"id": handle.id}) if as_json else show(handle.id)


@app.command("timezones", epilog="Example: taskflow schedules timezones")
def timezones(as_json: AsJson = False) -> None:
    """List the names of all time zones. Needs no store."""
    names = list(schedules.timezones())
    print_json(names) if as_json else show("\n".join(names))


def _parsed(payload: str | None) -> object:
    try:
        return None if payload is None else json.loads(payload)
    except (ValueError, RecursionError) as error:
        what = f"The payload is not JSON: {error}"
        raise ScheduleError(what, option="payload", value=payload, remedy="Quote it: '{\"days\": 7}'.") from None


def _given(options: Mapping[str, object]) -> Any:  # the verbs check them
    return {name: value for name, value in options.items() if value is not None}


def _print(schedule: Schedule, as_json: bool) -> None:
    print_json(as_dict(schedule)) if as_json else show_table(schedule_page(schedule))
