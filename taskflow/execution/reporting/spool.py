"""Log lines on disk until they are sent, so that a crash loses none.

A process appends to files of its own and holds each by ``flock`` as long as it lives. A file that no process holds is
an orphan; any node of the host sends it. A line is ``[<run id>, <claim>]``, a tab, and a JSON text. Lines may be sent
twice, never lost. One that cannot be read is left out with a warning, so that it stops no other line.
"""

import contextlib
import errno
import fcntl
import itertools
import json
import logging
import os
import re
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Final

from taskflow.project import make_private

log = logging.getLogger("taskflow.spool")
Send = Callable[[str, int, Sequence[bytes]], None]
"""Sends lines (JSON texts) of one run and claim. Raises when they could not be sent."""
LINES_AT_ONCE: Final = 500
_SUFFIX: Final = ".lines"
_OLD_LINE: Final = re.compile(rb"(.+?) (\d+) (\{.*)")


class Spool:
    """The lines of this process. Thread-safe; a forked child has files of its own.

    Args:
        folder: Made when the first line is written. If that fails, lines are kept in memory, with a warning.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._file: FileIO | None = None
        self._sealed: deque[FileIO] = deque()
        self._in_memory: deque[bytes] = deque(maxlen=10_000)
        self._writing = threading.RLock()  # a signal handler may log
        self._sending = threading.Lock()

    def _forget_parent(self) -> None:
        """Drop the parent's files, which the parent still holds."""
        for file in [*self._sealed, *([self._file] if self._file else [])]:
            file.close()
        self._begin()

    def write(self, run_id: str, claim: int, document: bytes) -> None:
        """Keep a line: one write, complete or not at all when the process is killed."""
        if self._pid != os.getpid():
            self._forget_parent()
        line = b"%s\t%s\n" % (json.dumps([run_id, claim]).encode(), document)
        with self._writing:
            if self._in_memory:  # the disk is tried again when these are sent
                self._in_memory.append(line)
                return
            try:
                self._file = self._file or _new_file(self.folder)
                if self._file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, "only a part of a line was written")
            except OSError as error:
                log.warning("spool.unwritable: %s: %s; a crash may lose log lines", self.folder, error)
                self._in_memory.append(line)
                if self._file is not None:  # it may end with a part of the line
                    self._sealed.append(self._file)
                    self._file = None

    def send(self, send: Send) -> None:
        """Send every line written so far. An error of ``send`` is raised, and the lines are kept."""
        with self._sending:
            with self._writing:
                if self._file is not None:
                    self._sealed.append(self._file)
                    self._file = None
                in_memory = list(self._in_memory)
            while self._sealed:
                _send_file(self._sealed[0], send)
                _remove(self._sealed.popleft())
            _send_lines(in_memory, send)
            with self._writing:
                for _ in in_memory:
                    self._in_memory.popleft()


def send_orphans(folder: Path, send: Send) -> int:
    """Send and remove the files whose processes are gone. Returns their number."""
    count = 0
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        with contextlib.suppress(FileNotFoundError), path.open("r+b", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            try:
                if os.fstat(file.fileno()).st_nlink:  # else another process has sent it meanwhile
                    _send_file(file, send)
                    path.unlink()
                    count += 1
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)  # a child that was just forked has the descriptor too
    return count


def _new_file(folder: Path) -> FileIO:
    make_private(folder)
    while True:
        path = folder / f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        file = path.open("x+b", buffering=0)
        os.chmod(path, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another process took it for an orphan before it was held


def _remove(file: FileIO) -> None:
    Path(file.name).unlink(missing_ok=True)
    file.close()


def _send_file(file: FileIO, send: Send) -> None:
    """Send the lines of a file that nobody writes any more, also when somebody has removed it from its folder."""
    file.seek(0)
    lines = BufferedReader(file)
    try:
        complete = (line for line in lines if line.endswith(b"\n"))
        while batch := list(itertools.islice(complete, LINES_AT_ONCE)):
            _send_lines(batch, send)
    finally:
        lines.detach()


def _send_lines(lines: Sequence[bytes], send: Send) -> None:
    for (run_id, claim), documents in _by_run(lines):
        send(run_id, claim, documents)


def _by_run(lines: Sequence[bytes]) -> Iterator[tuple[tuple[str, int], list[bytes]]]:
    by_claim: dict[tuple[str, int], list[bytes]] = {}
    for line in lines:
        try:
            head, document = _parse(line.rstrip(b"\n"))
        except ValueError as error:
            log.warning("spool.unreadable: a log line of %d bytes is left out: %s", len(line), type(error).__name__)
            continue
        by_claim.setdefault(head, []).append(document)
    yield from by_claim.items()


def _parse(line: bytes) -> tuple[tuple[str, int], bytes]:
    """Return the run id, the claim and the JSON text of a line.

    Raises:
        ValueError: The line is damaged.
    """
    head, tab, document = line.partition(b"\t")
    if not (tab and head.startswith(b"[")):
        return _parse_old(line)
    run_id, claim = json.loads(head)
    if not isinstance(run_id, str) or not isinstance(claim, int):
        raise ValueError(f"{type(run_id).__name__} and {type(claim).__name__}")
    return (run_id, claim), document


def _parse_old(line: bytes) -> tuple[tuple[str, int], bytes]:
    """Parse a line of a version before 1.0, which wrote ``<run id> <claim> <JSON>``."""
    old = _OLD_LINE.fullmatch(line)
    if old is None:
        raise ValueError("neither of the two forms")
    return (old[1].decode(), int(old[2])), old[3]
