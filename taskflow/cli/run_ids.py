"""The run that a command is about: its id, the unique beginning of its id, or ``--last``."""

import re
from collections.abc import Iterable
from typing import Annotated, Final

import typer

from taskflow.definition.calls.run_filter import ALL_RUNS
from taskflow.errors import TaskflowError
from taskflow.seams.engine import Application

RunId = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="The run's id, or the beginning of it, if only one has it.")
]
Last = Annotated[bool, typer.Option("--last", help="The newest run, instead of an id.")]
_BEGINNING: Final = re.compile(r"run_[0-9a-f]{4,32}|[0-9a-f-]{4,35}")
"""Shorter than an id of ours, and than a UUID, which is Celery's."""
_NEWEST: Final = 1000


def chosen_run(flow: Application, given: str | None, *, last: bool) -> str:
    """Return the id of the run that a command names.

    Raises:
        TaskflowError: Neither an id nor ``--last`` was given, or both; several runs begin so; or there is no run.
    """
    if last == (given is not None):
        raise TaskflowError("Give a run's id or the beginning of it, or --last for the newest run.")
    return newest_run(flow) if given is None else whole_id(flow, given)


def chosen_runs(flow: Application, given: Iterable[str], *, last: bool) -> list[str]:
    """Return the ids of the runs that a command names, the newest among them with ``--last``.

    Raises:
        TaskflowError: Several runs begin so, or there is no run.
    """
    return [*(whole_id(flow, each) for each in given), *([newest_run(flow)] if last else ())]


def newest_run(flow: Application) -> str:
    """Return the id of the newest run.

    Raises:
        TaskflowError: There is none.
    """
    for run in flow.engine.runs.list(1, ALL_RUNS):
        return run.id
    raise TaskflowError("There are no runs yet.")


def whole_id(flow: Application, given: str) -> str:
    """Return the id of the one run, among the newest 1,000, whose id begins so. Other text is returned as it is.

    Raises:
        TaskflowError: Several runs begin so.
    """
    if not _BEGINNING.fullmatch(given):
        return given
    ids = [run.id for run in flow.engine.runs.list(_NEWEST, ALL_RUNS) if run.id.startswith(given)]
    if len(ids) > 1 and given not in ids:
        more = ", ..." if len(ids) > 3 else ""
        raise TaskflowError(f"{len(ids):,} runs begin with {given!r}: {', '.join(ids[:3])}{more}. Give more of it.")
    return ids[0] if len(ids) == 1 else given
