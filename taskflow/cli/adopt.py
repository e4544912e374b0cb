"""``taskflow adopt``: the messages of plain Celery producers that no node could read."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from taskflow.cli.application import App, load
from taskflow.cli.output import AsJson, age, console, print_json
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
        console.print("No message was refused.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("AGE", "ID", "TASK", "SIZE", "REASON", *(["CONTENT"] if payload else [])):
        table.add_column(heading, overflow="fold")
    for at, each in found:
        cells = [age(at), _visible(each.id) or "-", _visible(each.task) or "-", f"{each.size:,}", _visible(each.reason)]
        table.add_row(*(Text(cell) for cell in [*cells, *([_visible(each.text)] if payload else [])]))
    console.print(table)


def _visible(text: str) -> str:
    """Return a text with line breaks and escapes made visible."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
