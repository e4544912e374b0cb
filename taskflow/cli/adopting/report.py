"""``taskflow adopt MODULE``: the report of a Celery app."""

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any, Final, cast

import typer

from taskflow.cli.adopting.app_lines import lines_of_app
from taskflow.cli.adopting.lines import Line
from taskflow.cli.output import print_json
from taskflow.cli.printing import show
from taskflow.errors import SettingsError

_TIMEOUT_S: Final = 120


def report(module: str, *, as_json: bool) -> None:
    """Print the report. Exit code 1: something does not map.

    Raises:
        SettingsError: The module cannot be read.
    """
    lines = lines_of_app(_facts(module))
    if as_json:
        print_json([asdict(line) for line in lines])
    else:
        for line in lines:
            _show(line)
        left = sum(bool(line.to_do) for line in lines)
        show(f"{len(lines)} parts, {left} of them with something to decide.")
    if any(line.to_do for line in lines):
        raise typer.Exit(1)


def _facts(module: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "taskflow.cli.adopting.probe", module]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=_TIMEOUT_S, check=False)
        facts = cast("dict[str, Any]", json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        raise SettingsError(f"The import of {module!r} did not end within {_TIMEOUT_S} s.") from None
    except ValueError:
        raise SettingsError(f"The import of {module!r} ended its process. Its last words are above.") from None
    if "error" in facts:
        raise SettingsError(str(facts["error"]))
    return facts


def _show(line: Line) -> None:
    at = f"  ({line.place})" if line.place else ""
    show(f"{line.kind} {line.name}: {line.what}{at}", style="bold")
    if line.becomes:
        show("\n".join(f"    {each}" for each in line.becomes.splitlines()))
    if line.to_do:
        show(f"    ! {line.to_do}", style="yellow")
