"""The pytest plugin of taskflow. It imports nothing of taskflow until a test asks for a fixture.

It is a module of its own, because any module of the package would import the package at every start of pytest.
"""

import os
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from taskflow.testing import Stage

_GUARD, _ALLOWED = "TESTS_OF_TASKFLOW_PROCESS", "allowed"  # of taskflow.guard_of_tests
_MARKER = "taskflow_real_store"


class _Before:
    """What the environment said when pytest started."""

    value: str | None = None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of how runs execute, and the permission for suites with servers of their own."""
    parser.getgroup("taskflow").addoption(
        "--taskflow",
        choices=("inline", "workers"),
        default=os.environ.get("PYTEST_TASKFLOW", "inline"),
        help="how the fixture taskflow_inline executes runs: in place, or by real workers (or PYTEST_TASKFLOW)",
    )
    parser.addini(_MARKER, "tests may use the stores of the project's settings", type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Refuse real stores, in processes that tests start as well, from before the first import of the project on."""
    _Before.value = os.environ.get(_GUARD)
    os.environ[_GUARD] = _ALLOWED if early_config.getini(_MARKER) else str(os.getpid())


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", f"{_MARKER}: the test may use the store of the project's settings")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Lift the guard for a test with the marker, and its fixtures."""
    if item.get_closest_marker(_MARKER) is None or (before := os.environ.get(_GUARD)) is None:
        return (yield)
    os.environ[_GUARD] = _ALLOWED
    try:
        return (yield)
    finally:
        os.environ[_GUARD] = before


def pytest_sessionfinish() -> None:
    """End the store and the workers of the session."""
    if module := sys.modules.get("taskflow.testing.session"):
        module.end_session()


def pytest_unconfigure() -> None:
    """Leave the process as it was."""
    os.environ.pop(_GUARD, None)
    if _Before.value is not None:
        os.environ[_GUARD] = _Before.value


@pytest.fixture
def taskflow_inline(request: pytest.FixtureRequest) -> "Iterator[Stage]":
    """Runs that execute here and now, in this process, on an empty store. With --taskflow=workers: by real workers."""
    from taskflow.testing import inline, workers

    with workers() if request.config.getoption("--taskflow") == "workers" else inline() as stage:
        yield stage


@pytest.fixture
def taskflow_store() -> "Iterator[Stage]":
    """Runs that real workers execute in the background, on an empty store."""
    from taskflow.testing import workers

    with workers() as stage:
        yield stage
