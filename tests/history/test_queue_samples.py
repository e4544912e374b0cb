"""The load of queues over time: one row a queue and minute, zero where nothing was, and nothing where nobody looked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from taskflow.definition.queue import QueueLimits
from taskflow.engine.insights.activity import ActivityEngine
from taskflow.engine.lookup import Lookup
from taskflow.history.queue_samples import MOST, SAMPLES, keep_samples, samples_of, trim_samples
from taskflow.history.reader import Reader
from taskflow.models import QueueState
from taskflow.seams.activity import QueueLoad
from taskflow.settings import Settings
from taskflow.store.operations.making import NewRun, trigger_run
from taskflow.store.sync_store import Store
from taskflow.store.wire import new_run_id
from taskflow.upkeep.queue_samples import SamplingThread
from tests.history.conftest import open_database
from tests.support.bench import Bench, real_time
from tests.support.waiting import wait_until

BEGIN = datetime(2027, 1, 15, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOSTILE = "q\0<script>\U0001f600"


def loads(reader: Reader, queue: str, minutes: int = 60, step: int = 1) -> Sequence[QueueLoad]:
    """Return the loads of a queue from the beginning on."""
    return samples_of(reader, queue, BEGIN, BEGIN + minutes * MINUTE, step * MINUTE)


def size(reader: Reader) -> int:
    """Return the number of rows."""
    wanted = select(func.count()).select_from(SAMPLES)
    return reader.read_saved(lambda connection: connection.execute(wanted).scalar_one(), 0)


def test_a_minute_has_the_load_of_each_busy_queue(reader: Reader) -> None:
    """A queue without runs costs no row, and still was zero in a minute that was looked at."""
    keep_samples(reader, BEGIN, [QueueState("a", running=2, queued=5), QueueState("b"), QueueState(HOSTILE, queued=1)])
    keep_samples(reader, BEGIN + 2 * MINUTE, [QueueState("b", running=1)])
    assert loads(reader, "a") == (QueueLoad(BEGIN, 2, 5), QueueLoad(BEGIN + 2 * MINUTE, 0, 0))
    assert loads(reader, "b") == (QueueLoad(BEGIN, 0, 0), QueueLoad(BEGIN + 2 * MINUTE, 1, 0))
    assert loads(reader, HOSTILE)[0].queued == 1
    assert loads(reader, "") == (QueueLoad(BEGIN, 2, 6), QueueLoad(BEGIN + 2 * MINUTE, 1, 0))
    assert size(reader) == 5


def test_parts_of_a_period_have_the_highest_load(reader: Reader) -> None:
    """A chart of a day has no place for each minute."""
    for minute, running in enumerate((1, 7, 3, 0, 0, 2)):
        keep_samples(reader, BEGIN + minute * MINUTE, [QueueState("a", running=running, queued=9 - running)])
    found = [(load.running, load.queued) for load in loads(reader, "a", step=5)]
    assert found == [(7, 9), (2, 7)]


def test_a_minute_is_kept_once_and_for_a_day(reader: Reader) -> None:
    """Two processes may look at the same minute for a moment."""
    keep_samples(reader, BEGIN, [QueueState("a", running=2)])
    keep_samples(reader, BEGIN + timedelta(seconds=59), [QueueState("a", running=9), QueueState("b", running=9)])
    assert loads(reader, "a")[0].running == 2
    trim_samples(reader, BEGIN + timedelta(hours=24))
    assert size(reader) == 3
    trim_samples(reader, BEGIN + timedelta(hours=26))
    assert size(reader) == 0


def test_the_busiest_queues_are_kept_of_very_many(reader: Reader) -> None:
    """A minute costs a bounded number of rows."""
    states = [QueueState(f"q{number}", queued=number) for number in range(1, MOST + 101)]
    assert keep_samples(reader, BEGIN, states) == MOST + 1
    assert loads(reader, f"q{MOST + 100}")[0].queued == MOST + 100
    assert loads(reader, "q1")[0].queued == 0


@pytest.mark.timeout(60)
def test_the_thread_keeps_what_the_store_has(bench: Bench, url: str) -> None:
    """It makes the tables if no feed has."""
    store = Store(real_time(bench), bench)
    for _ in range(3):
        new = NewRun(new_run_id(0), "qs-task", b"1", None, "qs", "small-1x.process", 3, limits=QueueLimits(1))
        store.run(trigger_run(new))
    thread = SamplingThread(store, lambda: open_database(url), bench.config.environment)
    database = open_database(url)
    reader = Reader(database, bench.config.environment)
    now = datetime.now(UTC)
    thread.start()
    try:
        found = wait_until(
            lambda: samples_of(reader, "qs", now - timedelta(hours=1), now + timedelta(hours=1), MINUTE), "a sample"
        )
    finally:
        thread.stop()
        thread.join(10)
        database.close()
    assert (found[0].running, found[0].queued) == (0, 3)


def test_without_a_history_there_are_no_loads() -> None:
    """Pages leave the chart out."""
    engine = ActivityEngine(Lookup(Settings.read(database_url="none")))
    assert not engine.queue_loads("a", BEGIN, BEGIN + MINUTE)
