"""A child forked while its node writes a log line can write its own."""

import io
import logging
import os
import select
import signal
import threading
from typing import Any

from taskflow.worker.children.fork_logging import fork_between_lines


class SlowTerminal(io.RawIOBase):
    """Takes its first line only when told to."""

    def __init__(self) -> None:
        self.is_writing = threading.Event()
        self.may_go_on = threading.Event()

    def writable(self) -> bool:
        return True

    def write(self, line: Any, /) -> int:
        self.is_writing.set()
        self.may_go_on.wait(20)
        return len(line)


def test_a_child_forked_while_a_line_is_written_can_log() -> None:
    """It inherited the stream's lock, held, and hung at the end of its first run."""
    fork_between_lines()
    terminal = SlowTerminal()
    stream = io.TextIOWrapper(io.BufferedWriter(terminal), line_buffering=True)
    log = logging.Logger("a node")
    log.addHandler(logging.StreamHandler(stream))
    writer = threading.Thread(target=log.warning, args=("the node's line",))
    writer.start()
    assert terminal.is_writing.wait(20)
    threading.Timer(0.3, terminal.may_go_on.set).start()
    child = os.fork()
    if child == 0:
        terminal.may_go_on.set()
        log.warning("the child's line")
        os._exit(0)
    writer.join()
    assert ended(child)
    stream.close()


def ended(pid: int) -> bool:
    """Whether a child ended within 10 s; killed otherwise."""
    pidfd = os.pidfd_open(pid)
    try:
        is_over = bool(select.select([pidfd], [], [], 10)[0])
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    finally:
        os.close(pidfd)
    return is_over
