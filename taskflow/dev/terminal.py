"""The log of the session: coloured lines, each with its time, from any thread."""

import os
import re
import signal
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from rich.text import Text

from taskflow.texts import visible

Write = Callable[[Text], None]
"""Prints one line, or some."""
_INDENT: Final = " " * 10
_LEVEL: Final = re.compile(r"^(?:\S+ +\| )?(WARNING|ERROR|CRITICAL) ")
"""The level of a line that a node's logger has printed, behind the node's label."""


class Terminal:
    """Writes lines, none within another. Once that fails, because the terminal is gone, the process gets SIGHUP."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._is_gone = False

    def show(self, *parts: Text | str, style: str = "", at: datetime | None = None) -> None:
        """Write a line: its time, and parts with spaces between them. Further lines of a part are indented."""
        time = (at or datetime.now()).strftime("%H:%M:%S")
        texts = [part if isinstance(part, Text) else Text(visible(part), style) for part in parts]
        line = Text(" ").join(texts)
        shown = Text(f"\n{_INDENT}").join(line.split("\n", allow_blank=False))
        with self._lock:
            self._print(Text.assemble((time, "dim"), "  ", shown))

    def show_output(self, line: str) -> None:
        """Write a line that a process has printed."""
        level = _LEVEL.match(line)
        self.show(line, style="dim" if level is None else "yellow" if level[1] == "WARNING" else "red")

    def warn(self, text: str) -> None:
        """Write a line about something that the user should look at."""
        self.show(text, style="yellow")

    def fail(self, text: str) -> None:
        """Write a line about something that went wrong."""
        self.show(text, style="red")

    def _print(self, line: Text) -> None:
        if self._is_gone:
            return
        try:
            self._write(line)
        except (OSError, SystemExit):  # SystemExit: from rich, when nobody reads the pipe
            self._is_gone = True
            os.kill(os.getpid(), signal.SIGHUP)
