"""Standard output of a child: what programs write there that a run has started becomes lines of this run.

File descriptors 1 and 2 are pipes that a thread of the child reads. The child's own output, where its log is printed,
has other descriptors then. Nothing waits for the end of a pipe, so a program that outlives its run delays nobody.
"""

import contextlib
import io
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
from fcntl import F_DUPFD_CLOEXEC, fcntl
from typing import Any, Final

from billiard import current_process
from celery.signals import worker_process_init

from taskflow.execution.forks import is_fork
from taskflow.execution.reporting.current import OWN_THREADS, live_run_of_process
from taskflow.execution.reporting.lines import LARGEST_LINE
from taskflow.execution.reporting.reports import Reports
from taskflow.execution.reporting.sink import HandedLine
from taskflow.execution.reporting.text_lines import LineJoiner, keep_text
from taskflow.execution.reporting.text_streams import STREAMS, StandardStreams, write_all
from taskflow.worker.child.process_state import restore_also

log = logging.getLogger("taskflow.node")
_LOWEST: Final = 64
"""The lowest descriptor of what the child itself uses. Tasks close and replace low ones."""
_PIPE_SIZE: Final = 1 << 17
_SMALL_PIPE_SIZE: Final = 1 << 15
"""Bytes that a pipe holds. The kernel's default is between the two, so that another pipe is recognised at once."""
_LONGEST: Final = 2 * LARGEST_LINE
_LARGEST: Final = 100_000
"""Characters of a line's text, and bytes of its JSON, that a fork sends."""
_MOST: Final = 1 << 20
"""Bytes read at once: more than a pipe holds, so that one read takes all that was written before it."""


def bind_output(reports: Reports) -> None:
    """Have every prefork child that starts from now on make lines of what its runs write to standard output.

    Call it before the pool forks.
    """

    def start(**_: object) -> None:
        if current_process().name != "MainProcess":  # the solo pool sends the signal in the node itself
            ChildOutput(reports)

    worker_process_init.connect(start, weak=False, dispatch_uid="taskflow.worker.child.output")


class ChildOutput:
    """The output of this child. It replaces standard output, standard error and ``sys``'s streams when it is made."""

    def __init__(self, reports: Reports) -> None:
        self._lock = threading.RLock()
        self._is_reading = False
        self._pipes = tuple(_Pipe(number, name) for number, name in enumerate(STREAMS, start=1))
        self._forks = _Forks()
        reads = {pipe.read_end: pipe.read for pipe in self._pipes}
        self._reads = reads | {self._forks.read_end: self._forks.read}
        self._poller, self._waiter = select.poll(), select.poll()  # one of them serves one thread at a time
        for end in self._reads:
            self._poller.register(end, select.POLLIN)
            self._waiter.register(end, select.POLLIN)
        terminals = self._pipes[0].terminal, self._pipes[1].terminal
        _move_handlers(terminals)
        self._streams = StandardStreams(terminals)
        restore_also(self._restore)
        reports.output = self
        threading.Thread(target=self._serve, name=f"{OWN_THREADS}output", daemon=True).start()

    def hand_over(self, line: HandedLine) -> bool:
        """Keep first what programs have written until now. Send the line to the child if this is a fork of it."""
        if is_fork():
            self._forks.send(line)
            return True
        with self._lock:
            self._take()
        return False

    def finish(self) -> None:
        """Keep also what was written without a line break at its end, because the run ends."""
        if is_fork():
            return
        with self._lock:
            self._take()
            for pipe in self._pipes:
                if not pipe.joiner.is_empty:
                    pipe.finish()

    def restore(self) -> None:
        """Do nothing: the child puts back after each job what that has changed."""

    def _restore(self) -> None:
        """Put streams and descriptors back in their places, whatever the last job has done to them."""
        self._streams.restore()
        for pipe in self._pipes:
            pipe.restore()

    def _take(self) -> None:
        if self._is_reading:  # the line that is kept now is itself one of a program
            return
        self._is_reading = True
        try:
            for end, _ in self._poller.poll(0):
                self._reads[end]()
        finally:
            self._is_reading = False

    def _serve(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are the main thread's
        while True:
            self._waiter.poll()
            with self._lock:
                self._take()


class _Forks:
    """The way of lines from forks of the child to the child, which numbers them. One line is one datagram."""

    def __init__(self) -> None:
        sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.read_end, self._write_end = _moved(receiver.detach()), _moved(sender.detach())
        os.set_blocking(self.read_end, False)

    def send(self, line: HandedLine) -> None:
        """Send a line. In a fork."""
        message = line.message if len(line.message) <= _LONGEST else f"{line.message[:_LONGEST]} ..."
        data = json.dumps(line._replace(message=message), default=str).encode()
        if len(data) > _LARGEST:
            data = json.dumps(line._replace(message=message, fields={})).encode()
        with contextlib.suppress(OSError):  # the child has ended
            os.write(self._write_end, data)

    def read(self) -> None:
        """Keep the lines that forks of this run have sent."""
        with contextlib.suppress(BlockingIOError):
            while True:
                line = HandedLine(*json.loads(os.read(self.read_end, _MOST)))
                live = live_run_of_process()
                if live is not None and live.identity.run_id == line.run_id:
                    live.log(line.level, line.logger, line.message, line.fields)
                else:
                    log.warning("line.late: of a fork of run %s, which has ended: %s", line.run_id, line.message)


class _Pipe:
    """One of the two descriptors."""

    def __init__(self, number: int, name: str) -> None:
        self._number, self._logger, self.joiner = number, logging.getLogger(name), LineJoiner()
        self.terminal = _own(number)
        read_end, write_end = os.pipe()
        self.read_end, self._write_end = _moved(read_end), _moved(write_end)
        os.set_blocking(self.read_end, False)
        _resize(self._write_end)
        self._mark = _mark(self._write_end)
        os.dup2(self._write_end, number)

    def read(self) -> None:
        """Keep what was written."""
        try:
            piece = os.read(self.read_end, _MOST)
        except BlockingIOError:
            return
        live = live_run_of_process()
        if live is None:
            write_all(self.terminal, piece)
        else:
            keep_text(live, self._logger, self.joiner.add(piece))

    def finish(self) -> None:
        """Keep a line that has begun."""
        live = live_run_of_process()
        if live is not None:
            keep_text(live, self._logger, self.joiner.finish())

    def restore(self) -> None:
        """Put the pipe back under its number, unless it is there."""
        try:
            if _mark(self._number) == self._mark:
                return
        except OSError:
            pass
        os.dup2(self._write_end, self._number)


if sys.platform == "linux":
    from fcntl import F_GETPIPE_SZ, F_SETPIPE_SZ

    def _resize(pipe: int) -> None:
        try:
            fcntl(pipe, F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:  # the user has too many large pipes
            fcntl(pipe, F_SETPIPE_SZ, _SMALL_PIPE_SIZE)

    def _mark(number: int) -> int:
        """Return what tells our pipes from other files: their size. It takes a third of the time of ``fstat``."""
        return fcntl(number, F_GETPIPE_SZ)

else:

    def _resize(_: int) -> None:
        """Leave the pipe as it is."""

    def _mark(number: int) -> int:
        """Return what tells our pipes from other files."""
        return os.fstat(number).st_ino


def _own(number: int) -> int:
    """Return another descriptor of the process's output."""
    try:
        return fcntl(number, F_DUPFD_CLOEXEC, _LOWEST)
    except OSError:  # the worker was started without one
        return _moved(os.open(os.devnull, os.O_WRONLY))


def _moved(number: int) -> int:
    try:
        return fcntl(number, F_DUPFD_CLOEXEC, _LOWEST)
    finally:
        os.close(number)


def _move_handlers(terminals: tuple[int, int]) -> None:
    """Have the handlers that print to the process's output go on with it, under its new descriptors."""
    out, err = (
        io.TextIOWrapper(io.FileIO(number, "w", closefd=False), errors="backslashreplace", line_buffering=True)
        for number in terminals
    )
    moves = {id(sys.__stdout__): out, id(sys.__stderr__): err, id(sys.stdout): out, id(sys.stderr): err}
    for reference in list(vars(logging)["_handlerList"]):
        handler: Any = reference()
        stream = moves.get(id(getattr(handler, "stream", None)))
        if stream is not None:
            with contextlib.suppress(AttributeError):  # one that always writes to sys.stderr: logging.lastResort
                handler.stream = stream
