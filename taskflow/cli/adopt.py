"""``taskflow adopt``: the messages of plain Celery producers that no node could read."""

from dataclasses import asdict
from typing import Annotated

import typer

from taskflow.cli.application import App, load
from taskflow.cli.output import AsJson, age, print_json
from taskflow.cli.printing import add_row, make_table, show, show_table
from taskflow.store import operations

app = typer.Typer(help="Look at messages of plain Celery producers.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Look at messages of plain Celery producers."""


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
