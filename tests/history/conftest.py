"""The history on each database, and a store whose events are fed into it."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from taskflow.history.database import Database, database_url
from taskflow.history.reader import Reader
from taskflow.history.rows import Rows, rows_of
from taskflow.history.writer import RowBatch, Writer
from taskflow.settings import Settings
from taskflow.store.sync_store import Store
from taskflow.upkeep.feed import FeedThread
from tests.support.bench import Bench, make_bench, real_time
from tests.support.postgres import PostgresServer, find_postgresql
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

ENVIRONMENT = "dev"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL. Tests take ``postgres``, which is empty."""
    server = PostgresServer(find_postgresql())
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> PostgresServer:
    """A running PostgreSQL whose ``url`` names a new database."""
    postgres_server.start()
    postgres_server.fresh_database()
    return postgres_server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each kind of database, empty: the test runs once on each."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/history.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """The history's database with its tables."""
    made = open_database(url)
    made.prepare()
    yield made
    made.close()


@pytest.fixture
def writer(database: Database) -> Writer:
    """A writer whose shard 0 is complete."""
    made = Writer(database, ENVIRONMENT)
    made.set_position(0, 0, is_complete=True)
    return made


@pytest.fixture
def reader(database: Database, writer: Writer) -> Reader:
    """A reader of what ``writer`` writes."""
    return Reader(database, ENVIRONMENT)


@pytest.fixture
def bench(valkey: RedisServer) -> Iterator[Bench]:
    """A store whose scripts write events to the stream."""
    yield from make_bench(valkey)


def open_database(url: str) -> Database:
    """Return the database at an address."""
    address = database_url(Settings.read(database_url=url))
    assert address is not None
    return Database(address)


def a_record(number: int = 0, /, **fields: str) -> dict[str, bytes]:
    """Return the fields of a run's hash as the store has them."""
    usual = {
        "task": "t",
        "status": "COMPLETED",
        "queue": "task/t",
        "class": "small-1x.process",
        "created": str(1_800_000_000_000 + number),
        "max_attempts": "3",
        "attempt": "1",
        "claim": "1",
        "attempt_started": "1800000000100",
        "started": "1800000000100",
        "node": "n1",
        "finished": "1800000000200",
        "payload": '{"a":1}',
        "output": '"x"',
    }
    return {name: value.encode() for name, value in (usual | fields).items()}


def rows(run_id: str, revision: int = 1, number: int = 0, /, **fields: str) -> Rows:
    """Return the rows of a run's record."""
    return rows_of(ENVIRONMENT, run_id, revision, a_record(number, **fields))


def write(writer: Writer, *runs: Rows, **batch: Any) -> None:
    """Write runs."""
    writer.write(RowBatch(runs, **batch), 0)


def an_error(message: str) -> str:
    """Return the stored form of an error."""
    return json.dumps({"type": "Boom", "message": message, "traceback": ""})


RETENTION = timedelta(hours=3)
StartFeed = Callable[..., FeedThread]
_stores: dict[FeedThread, Store] = {}


def feed_thread(bench: Bench, url: str, node: str = "n1") -> FeedThread:
    """Start a thread that feeds. ``end`` ends it."""
    store = Store(real_time(bench), bench)
    thread = FeedThread(
        store, 0, node, lambda: open_database(url), bench.config.environment, timedelta(days=30), RETENTION
    )
    thread.start()
    _stores[thread] = store
    return thread


def end(thread: FeedThread) -> None:
    """Stop a thread that feeds, unless that is done, and close its connections once it has ended."""
    if thread in _stores:
        thread.stop()
        wait_until(lambda: not thread.is_alive, "the feed to end")
        _stores.pop(thread).close()


@pytest.fixture
def start_feed(bench: Bench, url: str) -> Iterator[StartFeed]:
    """Start threads that feed the bench's events into the database: ``start_feed("n1")``."""
    threads: list[FeedThread] = []

    def start(node: str = "n1") -> FeedThread:
        threads.append(feed_thread(bench, url, node))
        return threads[-1]

    yield start
    for thread in threads:
        end(thread)


@pytest.fixture
def fed(bench: Bench, url: str) -> Iterator[Reader]:
    """A reader of the database that is fed."""
    made = open_database(url)
    yield Reader(made, bench.config.environment)
    made.close()
