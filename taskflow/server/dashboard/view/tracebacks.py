"""Tracebacks for people: frames of the user's own code in full, those of libraries counted."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from taskflow.texts import visible

_FRAME: Final = re.compile(r'^\s*File "(?P<path>[^"]*)", line (?P<line>\d+)(?:, in (?P<function>.*))?$')
_LIBRARY: Final = (
    "site-packages/",
    "dist-packages/",
    "/lib/python",
    "<frozen",
    "/taskflow/execution/",
    "/taskflow/worker/",
)
_JOINTS: Final = {
    "The above exception was the direct cause of the following exception:": "the cause of",
    "During handling of the above exception, another exception occurred:": "while it was handled",
}
_MOST_LINES: Final = 400


@dataclass(frozen=True, slots=True)
class TracebackLine:
    """A line, or the beginning of one. ``kind``: "own", "lib", "code", "gap", "error" or ""."""

    kind: str
    text: str


def traceback_lines(traceback: str) -> list[TracebackLine]:
    """Return the lines of a traceback, as Python writes it."""
    parsed = list(_parse(visible(traceback).splitlines()[:_MOST_LINES]))
    lines: list[TracebackLine] = []
    for kind, group in groupby(parsed, key=lambda line: line.kind == "lib"):
        frames = list(group)
        if not kind:
            lines += frames
        elif len(frames) == 1:
            lines.append(frames[0])
        else:
            lines.append(TracebackLine("lib", f"{frames[-1].text.partition(':')[0]}, {len(frames):,} frames"))
    return lines


def _parse(lines: list[str]) -> Iterator[TracebackLine]:
    is_library = False
    for line in lines:
        frame = _FRAME.match(line)
        if frame is not None:
            path = frame["path"]
            is_library = any(part in path for part in _LIBRARY)
            yield TracebackLine("lib" if is_library else "own", _named(path, frame["line"], frame["function"]))
        elif line.startswith("Traceback (most recent call last)"):
            is_library = False
        elif line.strip() in _JOINTS:
            yield TracebackLine("gap", "")
            yield TracebackLine("lib-text", _JOINTS[line.strip()])
        elif line.startswith("    "):
            if not is_library and line.strip(" ^~"):
                yield TracebackLine("code", line)
        elif line.strip():
            yield TracebackLine("error", line)


def _named(path: str, line: str, function: str | None) -> str:
    for part in ("site-packages/", "dist-packages/"):
        path = path.rpartition(part)[2]
    shown = "/".join(path.split("/")[-3:])
    return f"{shown}:{line} in {function}" if function else f"{shown}:{line}"
