"""The dashboard of an environment of its own, with a user of each role."""

import importlib
from pathlib import Path

import pytest

from tests.conftest import StartFleet
from tests.support.dashboard import Dashboard
from tests.support.fleet import TASKS
from tests.support.servers import RedisServer


@pytest.fixture(autouse=True, scope="session")
def _tasks_are_declared() -> None:
    """Import the tests' tasks before a test does it where declarations are forgotten: they would be gone for others."""
    for module in TASKS.split(","):
        importlib.import_module(module)


@pytest.fixture
def shop(start_fleet: StartFleet, valkey: RedisServer, tmp_path: Path) -> Dashboard:
    """The application of an environment without workers that has a history."""
    return Dashboard(start_fleet(valkey.url, database_url=f"sqlite:///{tmp_path}/history.db").flow)


@pytest.fixture
def dashboard(start_fleet: StartFleet, valkey: RedisServer) -> Dashboard:
    """The application of an environment without workers."""
    return Dashboard(start_fleet(valkey.url).flow)
