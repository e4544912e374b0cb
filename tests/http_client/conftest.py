"""One environment with a worker and a server process for the session, and applications of both kinds on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taskflow import Settings, TaskFlow
from taskflow.http_client.application import ServerClient
from taskflow.seams.current_application import CURRENT
from taskflow.seams.engine import Application
from tests.support.fleet import Fleet
from tests.support.http_server import HttpServer
from tests.support.servers import RedisServer, find_valkey

MODULE = "tests.projects.client_tasks"


class Served:
    """An environment, its worker and its server."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.fleet = Fleet(folder, redis_url, is_new=True, home=folder / "home")
        self.key = self.fleet.flow.engine.api_keys.create("tests")[1]
        self.read_only_key = self.fleet.flow.engine.api_keys.create("reader", is_read_only=True)[1]
        self.server = HttpServer(folder, self.fleet.env(TASKFLOW_TASKS=""))
        self.server.start()
        self.fleet.start_node(executor="async", concurrency=200, TASKFLOW_TASKS=MODULE)

    @property
    def flow(self) -> TaskFlow:
        """The app of the store."""
        return self.fleet.flow

    def settings(self, **settings: object) -> Settings:
        """Return the settings of a client."""
        given: dict[str, object] = {"api_url": self.server.url, "api_key": self.key, "redis_url": None}
        return Settings.read(**(given | settings))

    def env(self, **more: str) -> dict[str, str]:
        """Return the environment variables of a client, which can't reach the store."""
        kept = {name: value for name, value in self.fleet.env().items() if not name.startswith("TASKFLOW_")}
        return {**kept, "TASKFLOW_API_URL": self.server.url, "TASKFLOW_API_KEY": self.key, **more}

    def close(self) -> None:
        """End all processes."""
        self.server.kill()
        self.fleet.close()


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    store = RedisServer(folder / "valkey", find_valkey(), name="Valkey")
    store.start()
    served = Served(folder, store.url)
    yield served
    served.close()
    store.close()


@pytest.fixture
def served(_served: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The environment. Verbs of the test use the client that it makes."""
    monkeypatch.setattr(CURRENT, "application", None)
    return _served


MakeClient = Callable[..., ServerClient]


@pytest.fixture
def make_client(served: Served) -> Iterator[MakeClient]:
    """Make a client, which becomes the current application: ``make_client(api_key=...)``."""
    clients: list[ServerClient] = []

    def make(**settings: object) -> ServerClient:
        client = ServerClient(served.settings(**settings))
        clients.append(client)
        CURRENT.application = client
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture(params=["direct", "http"])
def application(request: pytest.FixtureRequest, served: Served, make_client: MakeClient) -> Application:
    """The current application: the store's, and the client of the server. The test runs once with each."""
    if request.param == "http":
        return make_client()
    CURRENT.application = served.flow
    return served.flow
