"""Printing for people. Text of users is printed as it is: no part of it is markup, and what is invisible is escaped.

Every command prints through this module, so that no run, queue or node can end a command or reach the terminal.
"""

import io
import re
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from itertools import islice
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from taskflow.texts import HIDDEN, visible, visible_line

_PIPED_WIDTH: Final = 10_000
"""Columns of output that is no terminal: nothing is cut or wrapped, so that programs find it."""
_MOST_PROBLEMS: Final = 20
_NOT_ASCII: Final = re.compile("[^\0-\x7f]")

console: Final = Console(
    width=None if sys.stdout.isatty() else _PIPED_WIDTH, markup=False, emoji=False, highlight=False
)
errors_console: Final = Console(stderr=True, markup=False, emoji=False, highlight=False)


def prepare_streams() -> None:
    """Let standard output and error take every character, whatever their encoding is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def visible_json(document: str) -> str:
    """Return a JSON document with JSON's escapes for what is invisible, or what the output's encoding lacks."""
    hidden = HIDDEN if "utf" in (sys.stdout.encoding or "").lower() else _NOT_ASCII
    return hidden.sub(lambda found: _json_escape(found.group()), document)


def show(*parts: str | Text, style: str = "") -> None:
    """Print parts of a line, or of some lines, with spaces between them."""
    console.print(Text(" ").join(_text(part) for part in parts), style=style, soft_wrap=True)


def show_error(text: str) -> None:
    """Print an error on standard error."""
    errors_console.print(Text.assemble(("Error: ", "bold red"), visible(text)), soft_wrap=True)


def show_note(text: str, style: str = "") -> None:
    """Print a text on standard error."""
    errors_console.print(Text(visible(text), style), soft_wrap=True)


def show_problems(lines: Iterable[str]) -> None:
    """Print the first 20 lines as warnings."""
    for line in islice(lines, _MOST_PROBLEMS):
        show(line, style="yellow")


def make_table(*headings: str, title: str | None = None) -> Table:
    """Return an empty table."""
    table = Table(title=title, box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def facts_table() -> Table:
    """Return an empty table for rows of a name and its value."""
    return Table(box=None, show_header=False, pad_edge=False)


def add_row(table: Table, *cells: str | Text) -> None:
    """Add a row to a table. A cell that is text has one line; see ``lines_of`` for one of several lines."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(visible_line(cell)) for cell in cells))


def lines_of(text: str) -> Text:
    """Return a cell of several lines."""
    return Text(visible(text))


def show_table(table: Table) -> None:
    """Print a table."""
    console.print(table)


Advance = Callable[[int, int], None]
"""Called with two counts: the items that are done, and all items."""


@contextmanager
def progress(what: str, *, is_shown: bool = True) -> Generator[Advance]:
    """Show a progress bar on standard error while the block executes, which moves it by the yielded function."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors_console, disable=not is_shown) as bar:
        shown = bar.add_task(what, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(shown, completed=done, total=total)

        yield advance


def _text(part: str | Text) -> Text:
    return part if isinstance(part, Text) else Text(visible(part))


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
