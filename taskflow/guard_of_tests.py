"""Keeps tests from real stores: a process that runs tests connects to no store except those that tests have started.

The pytest plugin switches it on, for its own process and none that it starts. Connections ask when they are opened, so
that a process without tests pays one look at its environment for each.
"""

import os
from typing import Final

from taskflow.errors import RealStoreError

VARIABLE: Final = "TESTS_OF_TASKFLOW_PROCESS"
"""The environment variable with the number of the process that runs tests."""
_allowed: set[str] = set()


def is_on() -> bool:
    """Whether this process runs tests, and may not use real stores."""
    return os.environ.get(VARIABLE) == str(os.getpid())


def switch(*, on: bool) -> None:
    """Refuse real stores in this process from now on, or allow them."""
    if on:
        os.environ[VARIABLE] = str(os.getpid())
    else:
        os.environ.pop(VARIABLE, None)


def allow(url: str) -> None:
    """Let this process use one store: a server that tests have started."""
    _allowed.add(url)


def check(url: str) -> None:
    """Return if this process may use a store.

    Raises:
        RealStoreError: It runs tests, and the store is none of theirs.
    """
    if VARIABLE in os.environ and is_on() and url not in _allowed:
        raise RealStoreError(url)
