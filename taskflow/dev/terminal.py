"""The log of the session: coloured lines, each with its time, from any thread."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from rich.text import Text

from taskflow.texts import visible

Write = Callable[[Text], None]
"""Prints one line, or some."""
_INDENT: Final = " " * 10


class Terminal:
    """Writes lines, none within another."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._lock = threading.Lock()

    def show(self, *parts: Text | str, style: str = "", at: datetime | None = None) -> None:
        """Write a line: its time, and parts with spaces between them. Further lines of a part are indented."""
        time = (at or datetime.now()).strftime("%H:%M:%S")
        texts = [part if isinstance(part, Text) else Text(visible(part), style) for part in parts]
        line = Text(" ").join(texts)
        shown = Text(f"\n{_INDENT}").join(line.split("\n", allow_blank=False))
        with self._lock:
            self._write(Text.assemble((time, "dim"), "  ", shown))

    def warn(self, text: str) -> None:
        """Write a line about something that the user should look at."""
        self.show(text, style="yellow")

    def fail(self, text: str) -> None:
        """Write a line about something that went wrong."""
        self.show(text, style="red")
