"""Runs that the store has lost, rows that can't be written, and the retention while runs keep coming."""

import contextlib
import os
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from taskflow.engine.feeds.lag import feed_lag
from taskflow.errors import HistoryUnavailableError
from taskflow.history.database import Database
from taskflow.history.reader import Reader
from taskflow.history.writer import Writer
from taskflow.models import RunStatus
from taskflow.store.sync_store import Store
from taskflow.upkeep import feed
from tests.history.conftest import StartFeed, a_record, open_database, rows, write
from tests.history.test_feed import load, run_some
from tests.support.bench import Bench, real_time
from tests.support.postgres import PostgresServer
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten times that take longer in production."""
    monkeypatch.setattr(feed, "BLOCK_MS", 100)
    monkeypatch.setattr(feed, "LOOK_EVERY", timedelta(seconds=0.2))


def ended(reader: Reader, run_id: str) -> bool:
    """Whether the history has the end of a run."""
    run = reader.retrieve(run_id)
    return run is not None and run.is_finished


def test_a_run_that_an_emptied_store_has_lost_ends_in_the_history(
    bench: Bench, start_feed: StartFeed, fed: Reader, valkey: RedisServer
) -> None:
    """It fails with the reason, also a single one that was lost. Runs that are in the store stay as they are."""
    bench.node()
    start_feed()
    kept, single = bench.trigger(), bench.trigger()
    bench.claim(kept)
    executing = bench.claim(bench.trigger()).run_id
    done = list(run_some(bench, 2))
    wait_until(lambda: all(map(fed.retrieve, [kept, single, executing, *done])), "the history to have all")
    bench.redis("DEL", bench.key(f"run:{single}"))
    wait_until(lambda: ended(fed, single), "the end of the run that was lost alone")
    before = [fed.retrieve(run_id) for run_id in (kept, *done)]
    assert [run.status for run in before if run] == [RunStatus.EXECUTING, RunStatus.FAILED, RunStatus.COMPLETED]
    valkey.flush()
    wait_until(lambda: ended(fed, executing) and ended(fed, kept), "the ends of all that were lost")
    for run_id in (single, executing, kept):
        run = fed.retrieve(run_id)
        assert run is not None
        assert (run.status, run.error and run.error.type) == (RunStatus.SYSTEM_FAILURE, "RunLost")
        assert run.finished_at is not None
    assert [fed.retrieve(run_id) for run_id in done] == before[1:]
    bench.node()
    again = list(run_some(bench, 2))
    wait_until(lambda: all(ended(fed, run_id) for run_id in again), "runs of the new store")


def test_no_entry_and_no_record_stops_the_feed(
    bench: Bench, start_feed: StartFeed, fed: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    """A run that can't be read or written is set aside with one line, and counted."""
    bench.node()
    odd: dict[str, dict[str, str | bytes]] = {
        "far": {"created": "99999999999999999999"},
        "unknown": {"status": "UNHEARD_OF"},
        "deep": {"metadata": "[" * 100_000},
        "huge": {"attempt": "9" * 5000},
        "long": {"idempotency": "k:" + "".join(chr(0x4E00 + n % 20_000) for n in range(8000))},
        "nul": {"queue": "a\0b", "task": "\0"},
        "bytes": {"tags": b'["\xff\xfe"]', "error": b"\xff"},
        "instant": {"due": "1e400", "attempt_started": "-99999999999999"},
        "bare": {"status": "QUEUED"},
    }
    for name, fields in odd.items():
        values: dict[str, str | bytes] = {} if name == "bare" else {**a_record(status="QUEUED")}
        values |= fields
        bench.redis("HSET", bench.key(f"run:{name}"), *(part for pair in values.items() for part in pair))
    for run_id, kind, value in [
        *((name, "status", "QUEUED") for name in odd),
        ("a\0b", "status", "QUEUED"), ("x" * 9000, "log", "\0"), ("gone", "status", "NEVER_HEARD_OF"), ("", "", ""),
        *((name, "log", "{") for name in odd),
    ]:  # fmt: skip
        bench.redis("XADD", bench.key("events"), "*", "run", run_id, "kind", kind, "value", value)
    bench.redis("XADD", bench.key("events"), "*", "strange", "entry")
    start_feed()
    good = list(run_some(bench, 3))
    wait_until(lambda: all(ended(fed, run_id) for run_id in good), "the good ones", timeout=20)
    store = Store(real_time(bench), bench)
    wait_until(lambda: (lag := feed_lag(store)) and not lag.entries, "nothing to be behind")
    lag = feed_lag(store)
    store.close()
    assert lag is not None
    lines = [message for message in caplog.messages if message.startswith("history.set_aside")]
    assert 0 < lag.set_aside == len(lines) <= len(odd) + 5
    assert "history.failed" not in caplog.text


def test_the_retention_holds_while_runs_keep_coming(
    bench: Bench, start_feed: StartFeed, fed: Reader, database: Database, writer: Writer
) -> None:
    """However many runs are old. An idle moment of the feed never comes."""
    own = Writer(database, bench.config.environment)
    old = [rows(f"run_{n:04}", finished="1000") for n in range(3000)]
    for row in old:
        row.run["environment"] = bench.config.environment
    write(own, *old)
    bench.node()

    def count() -> int:
        with database.reading() as connection:
            return int(
                connection.execute(text("SELECT count(*) FROM taskflow_runs WHERE finished = 1000")).scalar_one()
            )

    assert count() == 3000
    with load(bench) as ledger:
        start_feed()
        wait_until(lambda: count() == 0, "old runs to be deleted", timeout=20)
    assert ledger


def test_the_folder_of_the_history_is_closed_to_others(tmp_path: Path) -> None:
    """Payloads and outputs are in it. The umask of a service may be 0."""
    database = open_database(f"sqlite:///{tmp_path}/home/history.db")
    before = os.umask(0)
    try:
        database.prepare()
    finally:
        os.umask(before)
        database.close()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_database_that_does_not_hold_every_text_is_refused(postgres: PostgresServer) -> None:
    """Otherwise the feed would stop at the first character that it does not have."""
    name = f"{postgres.database}_latin"
    with contextlib.closing(psycopg.connect(postgres.url, autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0".encode())
    database = open_database(postgres.url.replace(postgres.database, name))
    for look in (database.prepare, Reader(database, "dev").address):
        with pytest.raises(HistoryUnavailableError, match=r"has the encoding LATIN1.*ENCODING 'UTF8'"):
            look()
    database.close()
