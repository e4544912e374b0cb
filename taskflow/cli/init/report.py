"""The output of ``taskflow init``: what each file is for, what is left to do, and the commands that come next."""

import importlib.util
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.text import Text

from taskflow.cli.init.changes import Change
from taskflow.cli.init.kinds import Kind
from taskflow.cli.init.projects import Plan
from taskflow.cli.printing import add_row, facts_table, show, show_table

_PACKAGES: Final = {
    "server": ("starlette", "uvicorn", "uvloop", "httptools", "jinja2", "argon2"),
    "testing": ("pytest", "greenlet"),
}
_TRIGGER: Final = """taskflow trigger hello-world '{"name": "Ada"}' --wait"""


def show_plan(folder: Path, made: Plan) -> None:
    """Print everything that would be written."""
    for change in made.changes:
        if not change.is_needed:
            show(f"{change.path} is as it would be.\n")
            continue
        verb = "New" if change.before is None else "Added to"
        show(f"{verb} {folder / change.path}", style="bold")
        show(change.added or change.text.decode())


def show_written(folder: Path, made: Plan) -> None:
    """Print what was written."""
    if not any(change.is_needed for change in made.changes):
        show(f"{folder} has everything already. Nothing was written.")
    else:
        show(f"A {made.kind} project in {folder}:" if made.kind is not Kind.PLAIN else f"A project in {folder}:")
    table = facts_table()
    for change in made.changes:
        add_row(
            table, Text(f"  {_mark(change)}", "green" if change.is_needed else "dim"), str(change.path), change.purpose
        )
    show_table(table)


def show_next(folder: Path, made: Plan) -> None:
    """Print what the owner does next."""
    for sentence, lines in made.by_hand:
        show(f"\n{sentence}")
        show("\n".join(f"    {line}" for line in lines.splitlines()))
    show("\nNext:")
    for command, purpose in _commands(folder, made):
        show(f"  # {purpose}", style="dim")
        show(f"  {command}", style="bold")


def _mark(change: Change) -> str:
    if not change.is_needed:
        return "kept"
    return "new" if change.before is None else "added to"


def _commands(folder: Path, made: Plan) -> Iterator[tuple[str, str]]:
    if folder != Path.cwd():
        yield f"cd {shlex.quote(str(folder))}", "go there"
    if missing := [extra for extra in _extras(made.kind) if _is_missing(extra)]:
        yield _install(missing), "install the packages that are missing here"
    yield "taskflow dev", "start the store, workers and the dashboard, until Ctrl-C"
    if made.task:
        yield _TRIGGER, "in another terminal: trigger the first run (or on the dashboard's page Test)"
    if made.site:
        yield made.site
    if made.task:
        if _is_missing("testing"):
            yield _install(["testing"]), "install pytest, and what taskflow's fixtures need"
        yield made.tests, "run the tests"


def _extras(kind: Kind) -> tuple[str, ...]:
    return ("server",) if kind is Kind.PLAIN else (kind.value, "server")


def _is_missing(extra: str) -> bool:
    return any(importlib.util.find_spec(name) is None for name in _PACKAGES.get(extra, (extra,)))


def _install(extras: list[str]) -> str:
    return f"pip install 'celery-taskflow[{','.join(extras)}]'"
