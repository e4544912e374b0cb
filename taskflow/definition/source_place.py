"""Places in source files, as errors name them."""

import linecache
import os
import re
from typing import Final

_DEF: Final = re.compile(r"\s*(?:async\s+)?def\s+(\w+)")
_ID: Final = re.compile(r"\bid\s*=\s*(['\"])([^'\"]+)\1")
_LONGEST_DECORATOR: Final = 40


def place(file: str, line: int | None) -> str:
    """Return ``shop/tasks.py:12``, relative to the working directory if it is in there."""
    try:
        near = os.path.relpath(file)
    except (OSError, ValueError):  # the folder is gone, or on another drive
        near = file
    shown = file if near.startswith("..") else near
    return f"{shown}:{line}" if line else shown


def declared_task(file: str, line: int | None) -> str | None:
    """Return the id, or else the function's name, of the task whose decorator stands at a line. None: it is none."""
    if not line:
        return None
    first = next((at for at in range(line, max(0, line - _LONGEST_DECORATOR), -1) if _starts_decorator(file, at)), None)
    if first is None:
        return None
    for at in range(first, first + _LONGEST_DECORATOR):
        source = linecache.getline(file, at)
        if (given := _ID.search(source)) is not None:
            return given[2]
        if (found := _DEF.match(source)) is not None:
            return found[1] if at >= line or at == first else None
    return None


def _starts_decorator(file: str, line: int) -> bool:
    return linecache.getline(file, line).lstrip().startswith("@")
