"""The history has every run exactly as the store has it, whatever fails on the way."""

import contextlib
import logging
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.engine.feeds.lag import FeedLag, feed_lag
from taskflow.errors import HistoryUnavailableError
from taskflow.history.database import Database
from taskflow.history.reader import Reader
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.store import operations
from taskflow.store.events import EventGroup
from taskflow.store.sync_store import Store
from taskflow.upkeep import feed
from tests.history.conftest import RETENTION, StartFeed, end, feed_thread, open_database
from tests.support.bench import Bench, real_time
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

Ledger = dict[str, RunStatus]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten times that take half a minute in production."""
    monkeypatch.setattr(feed, "CLAIM_AFTER", timedelta(seconds=0.5))
    monkeypatch.setattr(feed, "LEAD", timedelta(seconds=1))
    monkeypatch.setattr(feed, "BLOCK_MS", 200)


def run_some(bench: Bench, count: int) -> Ledger:
    """Take runs through their lives and return how they ended."""
    ledger: Ledger = {}
    for number in range(count):
        run_id = bench.trigger(tags=(f"tag-{number % 3}",))
        if number % 4 == 0:
            bench.give_up(bench.claim(run_id))
        status = RunStatus.FAILED if number % 5 == 0 else RunStatus.COMPLETED
        ledger[run_id] = bench.finish(bench.claim(run_id), status)
    return ledger


def is_exact(bench: Bench, reader: Reader, ledger: Ledger) -> bool:
    """Whether the history agrees with the store about every run, attempts and events included."""
    page = reader.list_runs(RunFilter(), 1000)
    listed = {run.id: run.status for run in page}
    while page.cursor:
        page = reader.list_runs(RunFilter(), 1000, page.cursor)
        listed |= {run.id: run.status for run in page}
    if listed != ledger:
        return False
    for run_id in ledger:
        stored, known = reader.retrieve(run_id), bench.run(operations.runs.read_run(run_id))
        statuses = [event.value for event in reader.events(run_id) if event.kind == "status"]
        if stored != known or statuses[-1:] != [known.status.value] or statuses.count("QUEUED") < len(known.attempts):
            return False
    return True


@contextmanager
def load(bench: Bench) -> Generator[Ledger]:
    """Make runs until the test ends."""
    ledger: Ledger = {}
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.wait(0.01):
            ledger.update(run_some(bench, 1))

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield ledger
    finally:
        is_over.set()
        thread.join()


def test_everything_about_runs_is_there_soon(bench: Bench, start_feed: StartFeed, fed: Reader) -> None:
    """Live runs are there too, because the history is not an archive."""
    bench.node()
    start_feed()
    ledger = run_some(bench, 40)
    waiting = bench.trigger(due=timedelta(hours=1))
    ledger[waiting] = RunStatus.DELAYED
    wait_until(lambda: is_exact(bench, fed, ledger), "the history to be exact")
    first = [run.attempts[0].outcome for run in map(fed.retrieve, ledger) if run and run.attempts]
    assert first.count(AttemptOutcome.LOST) == 10


def test_a_finished_run_leaves_the_store_after_it_is_in_the_history(
    bench: Bench, start_feed: StartFeed, fed: Reader
) -> None:
    """It does not leave before, because a database may be away for long. Live runs stay in any case."""
    bench.node()
    ledger = run_some(bench, 2)
    living = bench.trigger(due=timedelta(hours=1))

    def milliseconds_left(run_id: str) -> int:
        return int(bench.redis("PTTL", bench.key(f"run:{run_id}")))

    finished = [run_id for run_id, status in ledger.items() if status.is_finished]
    longest = RETENTION.total_seconds() * 1000
    assert all(milliseconds_left(run_id) > longest for run_id in finished)
    start_feed()
    wait_until(lambda: is_exact(bench, fed, ledger | {living: RunStatus.DELAYED}), "the history to be exact")
    wait_until(lambda: all(0 < milliseconds_left(run_id) <= longest for run_id in finished), "the store to know")
    assert milliseconds_left(living) == -1


def test_a_feeder_that_dies_with_a_batch_in_hand_loses_nothing(
    bench: Bench, start_feed: StartFeed, fed: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    """The next feeder claims the entries that it read and did not acknowledge."""
    bench.node()
    first = start_feed("n1")
    ledger = run_some(bench, 3)
    wait_until(lambda: is_exact(bench, fed, ledger), "the first runs")
    end(first)
    ledger |= run_some(bench, 5)
    _, taken = EventGroup(Store(real_time(bench), bench), 0).read("n1", 500)  # the feeder dies with this batch
    assert taken
    ledger |= run_some(bench, 5)
    start_feed("n2")
    wait_until(lambda: is_exact(bench, fed, ledger), "the second to finish the first's work")


@pytest.mark.timeout(90)
def test_two_feeders_at_a_time_do_no_harm(
    bench: Bench, start_feed: StartFeed, fed: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frozen leader may wake after another feeder has taken over."""

    def everybody(group: EventGroup, consumer: str, hold: timedelta) -> bool:
        return True

    monkeypatch.setattr(EventGroup, "take_lead", everybody)
    monkeypatch.setattr(feed, "PER_BATCH", 7)
    bench.node()
    for number in range(3):
        start_feed(f"n{number}")
    with load(bench) as ledger:
        wait_until(lambda: len(ledger) > 100, "a hundred runs")
    # three feeders contend for one lock for each seven entries, which takes seconds on SQLite
    wait_until(lambda: is_exact(bench, fed, ledger), "the history to be exact", timeout=40)


def test_a_database_that_is_away_under_load_loses_nothing(
    bench: Bench, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Runs go on, entries wait in the stream, and the history is exact afterwards."""
    caplog.set_level(logging.INFO, "taskflow.history")
    bench.node()
    reading, store = open_database(postgres.url), Store(real_time(bench), bench)
    thread = feed_thread(bench, postgres.url)
    reader = Reader(reading, bench.config.environment)
    with load(bench) as ledger:
        wait_until(lambda: reader.is_ready() and len(reader.list_runs(RunFilter())) > 10, "the history to fill")
        postgres.stop()
        before = len(ledger)
        time.sleep(5)  # the outage itself
        assert len(ledger) > before + 50
        lag = feed_lag(store)
        assert lag is not None
        assert lag.entries > 100
        assert lag.age > timedelta(seconds=3)
        postgres.start()
    wait_until(lambda: is_exact(bench, reader, ledger), "the history to be exact", timeout=20)
    wait_until(lambda: feed_lag(store) == FeedLag(0, timedelta(0)), "nothing to be behind")
    end(thread)
    said = "\n".join(caplog.messages)
    assert said.count("history.waiting") == 1
    assert "history.caught_up" in said
    assert "taskflow@" not in said
    reading.close()


def test_a_deleted_sqlite_file_is_rebuilt_under_load(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is rebuilt from the store's runs and the rest of the stream, and the log has an error about it."""
    bench.node()
    url = f"sqlite:///{tmp_path}/history.db"
    reading = open_database(url)
    thread = feed_thread(bench, url)
    reader = Reader(reading, bench.config.environment)
    with load(bench) as ledger:
        wait_until(lambda: len(reader.list_runs(RunFilter())) > 10, "the history to fill")
        (tmp_path / "history.db").unlink()
        wait_until(
            lambda: "history.rebuilt" in caplog.text.partition("history.lost")[2], "it to be rebuilt", timeout=20
        )
        count = len(ledger)
        wait_until(lambda: len(ledger) > count + 20, "more runs")
    wait_until(lambda: is_exact(bench, reader, ledger), "the history to be exact")
    end(thread)
    assert "history.lost: " in caplog.text
    reading.close()


@pytest.mark.parametrize("runs", [0, 1])
def test_a_history_that_begins_with_its_store_is_no_warning(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture, runs: int
) -> None:
    """A new project's first terminal has no warnings. A new database beside a store with runs is worth one."""
    caplog.set_level(logging.INFO, "taskflow.history")
    for _ in range(runs):
        bench.trigger()
    thread = feed_thread(bench, f"sqlite:///{tmp_path}/history.db")
    wait_until(lambda: f"history.rebuilt: {runs} runs" in caplog.text, "the history to begin")
    end(thread)
    assert {record.levelno for record in caplog.records} == {logging.WARNING if runs else logging.INFO}


def test_a_lost_file_is_counted_when_a_query_comes_first(tmp_path: Path) -> None:
    """The feed logs the loss, whoever of the process has found it."""
    path = tmp_path / "history.db"
    database: Database = open_database(f"sqlite:///{path}")
    database.prepare()
    path.unlink()
    with contextlib.suppress(HistoryUnavailableError), database.reading():
        pass
    database.abandon()
    assert database.losses == 1
    database.prepare()
    assert database.losses == 1
    database.close()


def test_a_damaged_sqlite_file_is_put_aside(tmp_path: Path) -> None:
    """A full disk or a copy in progress leaves files that are not databases."""
    path = tmp_path / "history.db"
    path.write_bytes(b"this is not a database, though it is long enough to be taken for one" * 100)
    database: Database = open_database(f"sqlite:///{path}")
    database.abandon()
    database.prepare()
    assert (tmp_path / "history.db.damaged").exists()
    database.close()


def test_entries_that_were_trimmed_unread_are_made_up_for(
    bench: Bench, start_feed: StartFeed, fed: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream is bounded. A feeder that was away for too long rebuilds the history from the runs themselves."""
    bench.node()
    first = start_feed("n1")
    run_some(bench, 3)
    wait_until(lambda: fed.is_ready() and len(fed.list_runs(RunFilter())) == 3, "the first runs")
    end(first)
    run_some(bench, 10)
    bench.redis("XTRIM", bench.key("events"), "MAXLEN", 5)
    start_feed("n2")
    wait_until(lambda: len(fed.list_runs(RunFilter())) == 13, "all runs")
    assert "were trimmed" in caplog.text


def test_an_emptied_store_begins_again_beside_what_is_known(bench: Bench, start_feed: StartFeed, fed: Reader) -> None:
    """The history outlives the store. It also survives a FLUSHALL."""
    bench.node()
    start_feed()
    old = run_some(bench, 3)
    wait_until(lambda: fed.is_ready() and len(fed.list_runs(RunFilter())) == 3, "the first runs")
    bench.server.flush()
    bench.node()
    new = run_some(bench, 3)
    wait_until(lambda: len(fed.list_runs(RunFilter())) == 6, "old and new runs")
    assert all(fed.retrieve(run_id) for run_id in (*old, *new))
