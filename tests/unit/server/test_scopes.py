"""Scopes: what each one grants, and above all what it does not."""

import pytest

from taskflow.server.scopes import grants

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("scope", ["admin", "*:all", "read:all", "read:runs", "*:runs:run_1", "read:runs:run_1"])
def test_a_scope_grants_what_it_names(scope: str) -> None:
    """By the action and the type, and the id if there is one."""
    assert grants(scope, "read", "runs:run_1")


@pytest.mark.parametrize(
    "scope",
    [
        *("", ":", "read", "read:", "read::run_1", "read:*", "admin:", "admin:all", "READ:runs", " read:runs"),
        *("write:runs", "read:run", "read:runs:", "read:runs:run_", "read:runs:run_12", "read:runs:run_1:"),
    ],
)
def test_a_scope_grants_nothing_else(scope: str) -> None:
    """An id that a program has left empty is not every id."""
    assert not grants(scope, "read", "runs:run_1")


def test_ids_have_colons() -> None:
    """A tag is any text."""
    assert grants("read:tags:user:1", "read", "tags:user:1")
    assert not grants("read:tags:user", "read", "tags:user:1")
