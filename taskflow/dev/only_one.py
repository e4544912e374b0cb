"""The lock by which a project has one ``taskflow dev``."""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path
from typing import Final

from taskflow.errors import SettingsError
from taskflow.project import make_private

_NAME: Final = "dev.lock"


@contextlib.contextmanager
def only_one(home: Path) -> Generator[None]:
    """Hold the lock of a project's home. It ends with the process, however that ends.

    Raises:
        SettingsError: Another process has it, or the home can't be written.
    """
    try:
        make_private(home)
        descriptor = os.open(home / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as refused:
        raise SettingsError(
            f"{home} can't be written: {refused.strerror}. Set TASKFLOW_HOME to another folder."
        ) from None
    with open(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"taskflow dev runs in this project already, as process {file.read().strip() or 'unknown'}. Stop it "
                "with Ctrl-C in its terminal. More workers: taskflow worker."
            ) from None
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
