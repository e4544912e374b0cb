"""The API of an environment of its own, whose tasks are registered as by a worker."""

import importlib

import pytest

from tests.conftest import StartFleet
from tests.support.api import Api
from tests.support.fleet import TASKS
from tests.support.servers import RedisServer


@pytest.fixture(autouse=True, scope="session")
def _tasks_are_declared() -> None:
    """Import the tests' tasks before a test does it where declarations are forgotten: they would be gone for others."""
    for module in TASKS.split(","):
        importlib.import_module(module)


@pytest.fixture
def api(start_fleet: StartFleet, valkey: RedisServer) -> Api:
    """The application of an environment without workers."""
    return Api(start_fleet(valkey.url).flow)
