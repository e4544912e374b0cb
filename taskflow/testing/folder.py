"""The folder of a test session, and those that sessions left behind which were killed."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, Final

_PREFIX: Final = "taskflow-tests-"
_LOCK: Final = "lock"


class SessionFolder:
    """A folder of its own, under a lock that the system lifts when the process ends, however it does.

    The processes of ``manage.py test --parallel`` are killed at the end of the tests, and remove nothing.
    """

    def __init__(self) -> None:
        remove_left()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        made = self.path / f"{_LOCK}.new"
        self._lock: IO[bytes] = made.open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        made.rename(self.path / _LOCK)  # a folder without this file is a session's that has just begun

    def remove(self) -> None:
        """Remove the folder with all that it has."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def remove_left() -> None:
    """Remove the folders whose sessions have ended."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            if lock.stat().st_uid == os.getuid():
                _remove_unlocked(lock)
        except OSError:  # its session is under way, or somebody else removes it
            continue


def _remove_unlocked(lock: Path) -> None:
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(lock.parent, ignore_errors=True)
