"""Additions to files that exist: lines at their end, in their own line endings, and nothing else."""

import tomllib
from pathlib import Path
from typing import Final

from taskflow.cli.init.changes import Change, read_file
from taskflow.errors import TaskflowError

PYPROJECT: Final = Path("pyproject.toml")
GITIGNORE: Final = Path(".gitignore")
_HOME: Final = ".taskflow/"
_IGNORED: Final = {"/.taskflow/", ".taskflow/", "/.taskflow", ".taskflow", "**/.taskflow", "**/.taskflow/"}


def pyproject(folder: Path, purpose: str, *, whole: str, table: str) -> Change:
    """Return the change of ``pyproject.toml``: a new file, or the table at the end of the one that exists.

    Args:
        whole: The text of a new file.
        table: The text of ``[tool.taskflow]``, for a file that has none; "" if there is nothing to add.

    Raises:
        TaskflowError: The file can't be read, or a table at its end would not be ``[tool.taskflow]``.
    """
    before = read_file(folder, PYPROJECT)
    if before is None:
        return Change(PYPROJECT, purpose, whole.encode())
    file = folder / PYPROJECT
    try:
        document = tomllib.loads(before.decode())
    except ValueError as error:
        raise TaskflowError(f"{file} can't be read: {error}. Nothing was written. Correct it first.") from None
    if not table or "taskflow" in document.get("tool", {}):
        return Change(PYPROJECT, purpose, before, before)
    after = _with_lines(before, table)
    try:
        is_right = tomllib.loads(after.decode()) == _joined(document, tomllib.loads(table))
    except ValueError:  # [tool] is written in a form that can't be continued
        is_right = False
    if not is_right:
        raise TaskflowError(f"{file} can't be continued with a table. Nothing was written. Add it by hand:\n{table}")
    return Change(PYPROJECT, purpose, after, before, table)


def missing_settings(change: Change, table: str) -> str:
    """Return the lines of a table that the existing ``[tool.taskflow]`` of a project lacks, for its owner to add."""
    has = tomllib.loads(change.text.decode()).get("tool", {}).get("taskflow", {})
    wanted = tomllib.loads(table)["tool"]["taskflow"]
    lines = [f'tasks = ["{module}"]' for module in wanted.get("tasks", ()) if module not in has.get("tasks", ())]
    lines += [f'flask_app = "{wanted["flask_app"]}"'] if "flask_app" in wanted and "flask_app" not in has else []
    return "\n".join(lines)


def gitignore(folder: Path, purpose: str, whole: str) -> Change:
    """Return the change of ``.gitignore``: a new file, or the folder of the store added to the one that exists.

    Raises:
        TaskflowError: The file can't be read.
    """
    before = read_file(folder, GITIGNORE)
    if before is None:
        return Change(GITIGNORE, purpose, whole.encode())
    lines = {line.strip() for line in before.decode(errors="replace").splitlines()}
    if lines & _IGNORED:
        return Change(GITIGNORE, purpose, before, before)
    return Change(GITIGNORE, purpose, _with_lines(before, f"{_HOME}\n", blank=False), before, f"{_HOME}\n")


def _with_lines(before: bytes, added: str, *, blank: bool = True) -> bytes:
    """Return a text with lines at its end, in its own line endings."""
    end = b"\r\n" if b"\r\n" in before else b"\n"
    text = before if not before or before.endswith(b"\n") else before + end
    gap = end if blank and text.strip() else b""
    return text + gap + added.encode().replace(b"\n", end)


def _joined(document: dict[str, object], added: dict[str, object]) -> dict[str, object]:
    tool, more = document.get("tool", {}), added["tool"]
    assert isinstance(tool, dict)
    assert isinstance(more, dict)
    return {**document, "tool": {**tool, **more}}
