"""Keeps tests from real stores: a process that runs tests connects to no store except those that tests have started.

The pytest plugin switches it on, for its own process and those that tests start. Suites of unittest, and so those of
Django, are found when a connection is opened: a process without tests pays two looks for each.
"""

import os
import sys
import threading
from collections.abc import Callable
from typing import Final

from taskflow.errors import RealStoreError

VARIABLE: Final = "TESTS_OF_TASKFLOW_PROCESS"
"""The environment variable that processes of tests, and those that they start, have."""
ALLOWED: Final = "allowed"
"""Its value in suites that may use real stores. Any other value refuses them."""
_STORES: Final = "TESTS_OF_TASKFLOW_STORES"
"""The environment variable with the stores that tests have started, one a line. Processes of tests inherit it."""
_runners: Final[dict[str, Callable[[], bool]]] = {}


def is_on() -> bool:
    """Whether this process runs tests, or a test has started it, and may not use real stores."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return given != ALLOWED
    return _is_in_suite() or any(runs_tests() for runs_tests in _runners.values())


def is_in_tests() -> bool:
    """Whether this process runs tests, or a test has started it, also where tests may use real stores."""
    return VARIABLE in os.environ or is_on()


def switch(*, on: bool) -> None:
    """Refuse real stores from now on, in this process and in those that it starts, or allow them."""
    os.environ[VARIABLE] = str(os.getpid()) if on else ALLOWED


def begin() -> None:
    """Refuse real stores from now on, unless whoever has started this process said something else."""
    if VARIABLE not in os.environ:
        switch(on=True)


def notice(name: str, runs_tests: Callable[[], bool]) -> None:
    """Ask a framework, too, whether this process runs tests. A second one of a name replaces the first."""
    _runners[name] = runs_tests


def allow(url: str) -> None:
    """Let this process, and those that it starts, use one store: a server that tests have started."""
    if url not in _allowed():
        os.environ[_STORES] = "\n".join([*_allowed(), url])


def check(url: str) -> None:
    """Return if this process may use a store.

    Raises:
        RealStoreError: It runs tests, and the store is none of theirs.
    """
    if is_on() and url not in _allowed():
        raise RealStoreError(url)


def _allowed() -> list[str]:
    return os.environ.get(_STORES, "").splitlines()


def _is_in_suite() -> bool:
    """Whether the main thread executes a suite of unittest."""
    suites = sys.modules.get("unittest.suite")
    if suites is None:
        return False
    code = suites.TestSuite.run.__code__
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False
