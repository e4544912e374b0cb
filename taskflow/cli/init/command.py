"""``taskflow init``: makes a project, or adds to one what it needs. It replaces no file and asks nothing."""

from pathlib import Path
from typing import Annotated

import typer

from taskflow.cli.init.changes import refuse_conflicts, write
from taskflow.cli.init.kinds import Kind, find_kind
from taskflow.cli.init.projects import plan
from taskflow.cli.init.report import show_next, show_plan, show_written


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where. It is made if it does not exist.")
    ] = Path(),
    kind: Annotated[
        Kind | None,
        typer.Option(help="What the project is made with. Default: what is found in the folder, else plain."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")] = False,
) -> None:
    """Make a project with a first task, or add to an existing one what it needs.

    No file is replaced: one that exists with other content is refused, and nothing is written then. Lines are added to
    pyproject.toml, .gitignore and the INSTALLED_APPS of a Django site; other code is yours, and the lines to add to it
    are printed.
    """
    place = folder.absolute()
    made = plan(place, find_kind(place, kind))
    refuse_conflicts(place, made.changes)
    if dry_run:
        show_plan(place, made)
        return
    write(place, made.changes)
    show_written(place, made)
    show_next(place, made)
