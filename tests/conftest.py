"""Fixtures of every suite: real servers, started on first use, one of each for the session."""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from taskflow import guard_of_tests
from taskflow.embedded import EmbeddedStore, ensure_store
from tests.support.fleet import ROOT, Fleet
from tests.support.one_worker import dear_server, in_one_worker
from tests.support.open_sockets import origins_of, record_origins
from tests.support.servers import Fsync, RabbitServer, RedisServer, Server, find_rabbitmq, find_redis7, find_valkey

for _name in [name for name in os.environ if name.startswith(("TASKFLOW_", "CELERY_", "FLOWER_"))]:
    del os.environ[_name]  # a developer's own settings must not reach the tests
guard_of_tests.switch(on=False)  # these tests start servers of their own

record_origins()
_SUITES = {
    "unit",
    "store",
    "history",
    "integration",
    "properties",
    "faults",
    "typecheck",
    "docs",
    "deploy",
    "server",
    "dashboard",
    "interop",
    "http_client",
    "mcp_server",
}

MakeServer = Callable[..., RedisServer]


@pytest.hookimpl(trylast=True)  # behind pytest-randomly
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the name of its folder, and let those that share a dear server follow each other."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            folder = item.path.relative_to(here).parts[0]
            if folder in _SUITES:
                item.add_marker(folder)
    items[:] = in_one_worker(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.fixture(autouse=True, scope="session")
def _no_store_of_the_project() -> Iterator[None]:
    """Keep a test without an app of its own from starting a server in the project's folder, which would outlive it."""

    def start(home: Path) -> EmbeddedStore:
        assert home.absolute() != ROOT / ".taskflow", "this test uses an app, and has made none"
        return ensure_store(home)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("taskflow.app.ensure_store", start)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of each socket that was left open the test and the lines that connected it."""
    report = yield
    if report.failed:
        report.sections += [("socket left open", origin) for origin in origins_of(report.longreprtext)]
    return report


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The session's Valkey. Tests take ``valkey``, which is empty."""
    server = RedisServer(tmp_path_factory.mktemp("valkey"), find_valkey(), name="Valkey")
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def redis7_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The session's Redis 7. Tests take ``redis7``, which is empty."""
    server = RedisServer(tmp_path_factory.mktemp("redis7"), find_redis7(), name="Redis 7")
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """The session's RabbitMQ node. Tests take ``rabbitmq``, which is empty."""
    server = RabbitServer(tmp_path_factory.mktemp("rabbitmq"), *find_rabbitmq())
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def forked_sites() -> None:
    """Tests with it start sites whose imports each worker of a parallel run does once, so that one worker has them."""


@pytest.fixture(scope="session")
def new_vhost() -> None:
    """Tests with it are about what a worker declares in RabbitMQ, so that each has a new virtual host."""


@pytest.fixture
def valkey(valkey_server: RedisServer) -> RedisServer:
    """A running, empty Valkey 9 (the bundled one)."""
    valkey_server.start()  # the test before may have stopped it
    valkey_server.flush()
    return valkey_server


@pytest.fixture
def redis7(redis7_server: RedisServer) -> RedisServer:
    """A running, empty Redis 7.0 (Debian's)."""
    redis7_server.start()
    redis7_server.flush()
    return redis7_server


@pytest.fixture
def rabbitmq(request: pytest.FixtureRequest, rabbitmq_server: RabbitServer) -> RabbitServer:
    """A running RabbitMQ whose ``url`` names a new virtual host, or for a test of a fleet an emptied one."""
    assert dear_server(request.node), "no parameter says RabbitMQ: another worker would start one"
    rabbitmq_server.start()
    if "start_fleet" in request.fixturenames and "new_vhost" not in request.fixturenames:
        rabbitmq_server.vhost_for_nodes()
    else:
        rabbitmq_server.fresh_vhost()
    return rabbitmq_server


@pytest.fixture(params=["valkey", "redis7"])
def store_server(request: pytest.FixtureRequest) -> RedisServer:
    """Each server that the store supports, empty: the test runs once on each."""
    server: RedisServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=["store", "rabbitmq"])
def broker_server(request: pytest.FixtureRequest, valkey: RedisServer) -> Server:
    """Each kind of broker: the store itself (``valkey``) and RabbitMQ. The test runs once with each."""
    if request.param == "store":
        return valkey
    server: RabbitServer = request.getfixturevalue("rabbitmq")
    return server


@pytest.fixture
def start_valkey(tmp_path: Path) -> Iterator[MakeServer]:
    """Start further Valkeys that belong to this test: ``start_valkey(appendfsync="always")``."""
    yield from _factory(tmp_path, "Valkey", find_valkey)


@pytest.fixture
def start_redis7(tmp_path: Path) -> Iterator[MakeServer]:
    """Start further Redis 7 servers that belong to this test."""
    yield from _factory(tmp_path, "Redis 7", find_redis7)


def _factory(tmp_path: Path, name: str, find: Callable[[], Path]) -> Iterator[MakeServer]:
    servers: list[RedisServer] = []

    def start(*, appendfsync: Fsync = "everysec") -> RedisServer:
        directory = tmp_path / f"{name.replace(' ', '').lower()}-{len(servers)}"
        server = RedisServer(directory, find(), name=name, appendfsync=appendfsync)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.close()


StartFleet = Callable[..., Fleet]


@pytest.fixture
def start_fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartFleet]:
    """Make environments on given servers: ``start_fleet(valkey.url, rabbitmq.url, lease=3, heartbeat=1)``."""
    fleets: list[Fleet] = []
    forks = request.node.get_closest_marker("interpreter") is None

    def start(redis_url: str, broker_url: str | None = None, *, is_new: bool = False, **settings: object) -> Fleet:
        folder = tmp_path / f"fleet-{len(fleets)}"
        folder.mkdir()
        fleet = Fleet(folder, redis_url, broker_url, is_new=is_new, forks=forks, **settings)
        fleets.append(fleet)
        return fleet

    yield start
    for fleet in fleets:
        fleet.close()


@pytest.fixture
def fleet(start_fleet: StartFleet, valkey: RedisServer, broker_server: Server) -> Fleet:
    """An environment with the store as broker, and one with RabbitMQ: the test runs once with each."""
    return start_fleet(valkey.url, None if broker_server is valkey else broker_server.url)
