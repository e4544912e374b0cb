"""``taskflow errors``: shows failures grouped by what broke, and mutes, resolves and opens groups."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from taskflow.cli.application import App, reach_without_tasks
from taskflow.cli.output import AsJson, age, print_json, time_and_age
from taskflow.cli.printing import add_row, facts_table, make_table, show, show_table
from taskflow.seams.error_groups import ErrorGroup
from taskflow.verbs.error_groups import error_groups

app = typer.Typer(help="Look at failures grouped by what broke; mute or resolve them.", no_args_is_help=True)
GroupId = Annotated[str, typer.Argument(metavar="ERROR", help="The group's id, as `taskflow errors list` shows it.")]
Period = Annotated[str, typer.Option(help="The time up to now whose failures count: 90m, 24h, 7d.")]
Reason = Annotated[str, typer.Option(help="Kept with who did it.")]


@app.command("list", epilog="Example: taskflow errors list --period 7d --state open")
def list_(
    period: Period = "24h",
    state: Annotated[str | None, typer.Option(help="open, muted or resolved.")] = None,
    task: Annotated[str | None, typer.Option(help="Only those with failures of this task.")] = None,
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """List the groups that failed, the newest failure first. They come from the history."""
    reach_without_tasks(app)
    found = error_groups.list(period=period, state=state, task=task)
    if as_json:
        print_json([_plain(group) for group in found])
        return
    show_table(_table(found)) if found else show(f"No such errors in {period}, as far as there is a history.")


@app.command("show", epilog="Example: taskflow errors show 8c1f02ab4711d00d")
def show_(group_id: GroupId, period: Period = "30d", app: App = None, as_json: AsJson = False) -> None:
    """Show one group: when, where and in which versions it failed."""
    reach_without_tasks(app)
    group = error_groups.retrieve(group_id, period=period)
    print_json(_plain(group)) if as_json else show_table(_facts(group, period))


@app.command("mute", epilog="Example: taskflow errors mute 8c1f02ab4711d00d --reason 'the API of the partner'")
def mute(group_id: GroupId, reason: Reason = "", app: App = None) -> None:
    """Mute a group: it counts on, and nobody is alerted."""
    reach_without_tasks(app)
    error_groups.mute(group_id, reason=reason)
    show(f"{group_id} is muted")


@app.command("resolve", epilog="Example: taskflow errors resolve 8c1f02ab4711d00d --in-version v412")
def resolve(
    group_id: GroupId,
    in_version: Annotated[
        str | None, typer.Option(help="The version that has it no more: failures of older ones leave it resolved.")
    ] = None,
    reason: Reason = "",
    app: App = None,
) -> None:
    """Resolve a group. It comes back, and alerts again, when it fails once more."""
    reach_without_tasks(app)
    error_groups.resolve(group_id, version=in_version, reason=reason)
    show(f"{group_id} is resolved{f' in {in_version}' if in_version else ''}")


@app.command("open", epilog="Example: taskflow errors open 8c1f02ab4711d00d")
def open_(group_id: GroupId, reason: Reason = "", app: App = None) -> None:
    """Open a group again that was muted or resolved."""
    reach_without_tasks(app)
    error_groups.reopen(group_id, reason=reason)
    show(f"{group_id} is open")


def _plain(group: ErrorGroup) -> dict[str, Any]:
    return {name: value for name, value in asdict(group).items() if name != "bars"}


def _table(groups: Sequence[ErrorGroup]) -> Table:
    table = make_table("ERROR", "STATE", "ATTEMPTS", "RUNS", "LAST", "TASKS", "WHAT")
    for group in groups:
        counts = (f"{group.attempts:,}", f"{group.runs:,}")
        what = f"{group.type}: {group.message}" if group.message else group.type
        add_row(table, group.id, _state(group), *counts, age(group.last_at), ", ".join(group.tasks), what)
    return table


def _facts(group: ErrorGroup, period: str) -> Table:
    table = facts_table()
    changed = f"{group.changed_by}, {time_and_age(group.changed_at)}" if group.changed_at else ""
    facts = {
        "error": group.id,
        "type": group.type,
        "message": group.message,
        "at": group.frame,
        "state": _state(group),
        "changed by": changed,
        "first seen": time_and_age(group.first_at),
        "last seen": time_and_age(group.last_at),
        f"attempts in {period}": f"{group.attempts:,}",
        "runs it ended": f"{group.runs:,}",
        "tasks": ", ".join(f"{task} ({count:,})" for task, count in group.tasks.items()),
        "versions": ", ".join(f"{version} ({count:,})" for version, count in group.versions.items()),
    }
    for name, value in facts.items():
        if value:
            add_row(table, name, value)
    return table


def _state(group: ErrorGroup) -> str:
    if group.resolved_in:
        return f"{group.state} in {group.resolved_in}"
    return f"{group.state}, came back" if group.came_back_at else str(group.state)
