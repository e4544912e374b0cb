"""One store, one server, one node and one client process for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.interop.official_client import OfficialClient
from tests.support.api_server import ApiServer
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer, find_valkey

TASKS = "tests.projects.interop_tasks"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A server of an environment with one node that executes coroutines."""
    folder = tmp_path_factory.mktemp("interop")
    store = RedisServer(folder / "store", find_valkey(), name="Valkey")
    store.start()
    fleet = Fleet(folder, store.url, is_new=True, database_url=f"sqlite:///{folder}/history.sqlite3")
    server = ApiServer(fleet, TASKFLOW_TASKS=TASKS)
    try:
        node = fleet.start_node(executor="async", concurrency=100, wait=False, TASKFLOW_TASKS=TASKS)
        server.start()
        fleet.wait_for(node)
        yield server
    finally:
        server.close()
        fleet.close()
        store.close()


@pytest.fixture(scope="session")
def client(world: ApiServer) -> Iterator[OfficialClient]:
    """The official client with a secret key of the environment."""
    client = OfficialClient(world.url, world.new_key("interop"), world.fleet.folder / "client.log")
    yield client
    client.close()
