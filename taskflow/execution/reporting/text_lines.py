"""Makes lines of the text that a run writes to a stream in pieces."""

import logging
import threading
from collections.abc import Iterator
from typing import Final

from taskflow.execution.reporting.capture import print_line
from taskflow.execution.reporting.lines import LARGEST_LINE
from taskflow.execution.reporting.live_run import LiveRun

_LONGEST: Final = 4 * LARGEST_LINE
"""Bytes of an unfinished line that are kept. A line in the store is shorter in any case."""


class LineJoiner:
    """Joins pieces to lines. Blank lines are left out.

    What stands before a carriage return is overwritten, as on a terminal: of a progress bar the last state is kept.
    """

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun = b""

    @property
    def is_empty(self) -> bool:
        """Whether no line has begun."""
        return not self._begun

    def add(self, piece: bytes) -> Iterator[str]:
        """Yield the lines that a piece completes."""
        *complete, begun = (self._begun + piece).split(b"\n")
        overwritten = begun.rfind(b"\r", 0, -1)  # one at the end may belong to a line break
        self._begun = begun[overwritten + 1 :][:_LONGEST]
        for line in complete:
            if text := _text(line):
                yield text

    def finish(self) -> Iterator[str]:
        """Yield the line that has begun, as if it were complete."""
        line, self._begun = self._begun, b""
        if text := _text(line):
            yield text


def _text(line: bytes) -> str:
    text = line.rstrip(b"\r\n").rpartition(b"\r")[2].decode("utf-8", "backslashreplace")
    return "" if text.isspace() else text


def keep_text(live: LiveRun, logger: logging.Logger, lines: Iterator[str]) -> None:
    """Keep lines with a run, and print them as the worker prints log lines."""
    for line in lines:
        live.log("INFO", logger.name, line, {})
        print_line(logger, logging.INFO, line)


class BegunLines:
    """The lines of one run that have begun, by stream and thread, so that threads do not mix their lines."""

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._joiners: dict[tuple[logging.Logger, int], LineJoiner] = {}

    def write(self, logger: logging.Logger, piece: bytes) -> None:
        """Keep the lines that a piece completes."""
        place = logger, threading.get_ident()
        joiner = self._joiners.get(place) or LineJoiner()
        lines = [*joiner.add(piece)]
        if joiner.is_empty:
            self._joiners.pop(place, None)
        else:
            self._joiners[place] = joiner
        keep_text(self._live, logger, iter(lines))

    def finish(self) -> None:
        """Keep what was written without a line break at its end."""
        while self._joiners:
            (logger, _), joiner = self._joiners.popitem()
            keep_text(self._live, logger, joiner.finish())


def write_text(live: LiveRun, logger: logging.Logger, piece: bytes) -> None:
    """Write a piece of text of a run."""
    if live.text is None:
        live.text = BegunLines(live)
    live.text.write(logger, piece)
