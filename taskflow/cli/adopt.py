"""``taskflow adopt``: what an existing Celery app becomes, and messages of plain producers that no node could read."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from taskflow.cli.adopting.report import report as report_on
from taskflow.cli.application import App, load
from taskflow.cli.output import AsJson, age, print_json
from taskflow.cli.printing import add_row, make_table, show, show_table
from taskflow.store import operations

_HELP = "Read a Celery app (taskflow adopt MODULE), and look at messages of plain Celery producers."


class _ReportByDefault(TyperGroup):
    """``taskflow adopt shop.celery`` is ``taskflow adopt report shop.celery``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Take a first word that is no command as the module to report on."""
        is_command = not args or args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if is_command else ["report", *args])


app = typer.Typer(cls=_ReportByDefault, help=_HELP, no_args_is_help=True)


@app.callback()
def main() -> None:
    """Read a Celery app (taskflow adopt MODULE), and look at messages of plain Celery producers."""


@app.command("report", epilog="Example: taskflow adopt report shop.celery:app --json, or taskflow adopt shop.celery")
def report(
    module: Annotated[str, typer.Argument(metavar="MODULE[:APP]", help="The module that makes the Celery app.")],
    as_json: AsJson = False,
) -> None:
    """Say what each part of a Celery app becomes: tasks, routes, schedules, signals, canvas, settings.

    The module is imported in a process of its own, which connects to no broker. Nothing is written. Exit code 0:
    everything maps; 1: a part needs a decision, or the module cannot be read; 2: the command is called wrongly.
    """
    report_on(module, as_json=as_json)


@app.command("refused", epilog="Example: taskflow adopt refused --payload")
def refused(
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most how many.")] = 20,
    app: App = None,
    payload: Annotated[bool, typer.Option("--payload", help="Show the beginning of headers and body.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the messages that were refused because they could not be read, the newest first."""
    found = load(app).store.run(operations.adoption.read_refused(limit))
    if as_json:
        hidden = () if payload else ("text",)
        print_json([
            {"at": at} | {name: value for name, value in asdict(each).items() if name not in hidden}
            for at, each in found
        ])  # fmt: skip
        return
    if not found:
        show("No message was refused.")
        return
    table = make_table("AGE", "ID", "TASK", "SIZE", "REASON", *(["CONTENT"] if payload else []))
    for at, each in found:
        content = [each.text] if payload else []
        add_row(table, age(at), each.id or "-", each.task or "-", f"{each.size:,}", each.reason, *content)
    show_table(table)
