"""``sys.stdout`` and ``sys.stderr`` of a worker's process: text streams that keep each line with its run.

Outside of a run, and for lines that ``logging`` prints, they write what they are given to the process's own output.
"""

import contextlib
import io
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Final, cast

from taskflow.execution.reporting.capture import is_printing
from taskflow.execution.reporting.current import current_live_run
from taskflow.execution.reporting.sink import HandedLine
from taskflow.execution.reporting.text_lines import write_text

if TYPE_CHECKING:
    from typing_extensions import Buffer

STREAMS: Final = ("stdout", "stderr")
"""The names of the streams, and of the loggers that print their lines."""


class RunBuffer(io.BufferedIOBase):
    """The bytes of a stream.

    Args:
        number: The file descriptor that programs get which the task starts.
        terminal: The file descriptor of the process's own output.
    """

    mode = "wb"

    def __init__(self, name: str, number: int, terminal: int) -> None:
        super().__init__()
        self.name = f"<{name}>"
        self._logger = logging.getLogger(name)
        self._number, self._terminal = number, terminal

    @property
    def raw(self) -> "RunBuffer":
        """Itself."""
        return self

    def write(self, data: "Buffer", /) -> int:
        """Write bytes. Returns their number."""
        piece = bytes(data)
        live = None if is_printing() else current_live_run()
        if live is None:
            write_all(self._terminal, piece)
        else:
            write_text(live, self._logger, piece)
        return len(piece)

    def flush(self) -> None:
        """Keep an unfinished line, if this is a fork, which may end without a word."""
        live = current_live_run()
        if live is not None and live.is_fork:
            live.finish_text()

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return False, because lines of a log need no colours."""
        return False

    def fileno(self) -> int:
        """Return the file descriptor for programs that the task starts."""
        return self._number

    def close(self) -> None:
        """Do nothing, because other runs use the stream."""


def make_stream(name: str, number: int, terminal: int) -> io.TextIOWrapper:
    """Make a standard stream for tasks. Its ``close`` does nothing, because it closes the buffer."""
    buffer = RunBuffer(name, number, terminal)
    stream = io.TextIOWrapper(
        buffer, "utf-8", "backslashreplace", newline="\n", line_buffering=True, write_through=True
    )
    cast("Any", stream).mode = "w"  # what a standard stream has, too
    return stream


def _is_sound(stream: io.TextIOWrapper) -> bool:
    """Whether no code has detached the buffer or changed the encoding."""
    try:
        return not stream.closed and stream.encoding == "utf-8" and stream.write_through
    except ValueError:
        return False


class StandardStreams:
    """The two streams of this process. They take the places of ``sys.stdout`` and ``sys.stderr``, also the saved ones.

    Args:
        terminals: The file descriptors of the process's own output.
    """

    def __init__(self, terminals: tuple[int, int] = (1, 2)) -> None:
        self._terminals, self._owner = terminals, os.getpid()
        self._replaced = sys.__stdout__, sys.__stderr__  # kept, because code may write to them
        self._out, self._err = self._make_out(), self._make_err()
        self.restore()

    def restore(self) -> None:
        """Put sound streams in their places, whatever a run has put there or done to them."""
        if not _is_sound(self._out):
            self._out = self._make_out()
        if not _is_sound(self._err):
            self._err = self._make_err()
        sys.stdout = sys.__stdout__ = self._out  # type: ignore[misc] # a run may go back to the saved one
        sys.stderr = sys.__stderr__ = self._err  # type: ignore[misc] # as above

    def hand_over(self, line: HandedLine) -> bool:
        """Return False: lines are kept here. A fork has nobody to keep its lines, so the process's output gets them."""
        if self._owner == os.getpid():
            return False
        write_all(self._terminals[1], f"{line.level} {line.logger} {line.message}\n".encode("utf-8", "replace"))
        return True

    def finish(self) -> None:
        """Do nothing, as above."""

    def _make_out(self) -> io.TextIOWrapper:
        return make_stream(STREAMS[0], 1, self._terminals[0])

    def _make_err(self) -> io.TextIOWrapper:
        return make_stream(STREAMS[1], 2, self._terminals[1])


def write_all(number: int, data: bytes) -> None:
    """Write to a file descriptor. An output that nobody reads any more is no error of the task."""
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(number, data) :]
