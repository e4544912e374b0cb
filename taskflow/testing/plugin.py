"""The pytest plugin. It imports nothing of taskflow until a test asks for a fixture."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from taskflow.testing.stage import Stage


@pytest.fixture
def taskflow_inline() -> "Iterator[Stage]":
    """Runs that execute here and now, in this process, on an empty store."""
    from taskflow.testing.session import inline

    with inline() as stage:
        yield stage


def pytest_sessionfinish() -> None:
    """End the store of the session."""
    import sys

    if module := sys.modules.get("taskflow.testing.session"):
        module.end_session()
