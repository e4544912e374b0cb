"""Every test declares its own tasks and forgets them."""

from collections.abc import Iterator

import pytest

from taskflow.definition.registry import declared


@pytest.fixture(autouse=True)
def isolated_tasks() -> Iterator[None]:
    """Undo what a test declares: ids are unique in a process."""
    with declared.isolated():
        yield
