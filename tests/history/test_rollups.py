"""Runs that end are counted once by task, status and interval, whatever comes twice or late."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from taskflow.history import activity, histogram
from taskflow.history.activity import bars_of, tasks_of
from taskflow.history.database import Database
from taskflow.history.histogram import Histogram
from taskflow.history.reader import Reader
from taskflow.history.rows import Rows
from taskflow.history.writer import RowBatch, Unfinished, Writer
from taskflow.models import RunError, RunStatus
from taskflow.seams.activity import TaskActivity
from taskflow.store.operations.encoding import instant
from tests.history.conftest import rows, write

BEGIN = 20_834 * 86_400_000  # the begin of a day and so of a quarter of an hour
HOUR = timedelta(hours=1)


def ended(run_id: str, at_ms: int = 0, revision: int = 1, /, **fields: str) -> Rows:
    """Return the rows of a run that was made a second before it started, and took two seconds."""
    times = {"created": at_ms - 3000, "started": at_ms - 2000, "attempt_started": at_ms - 2000, "finished": at_ms}
    return rows(run_id, revision, **({name: str(BEGIN + ms) for name, ms in times.items()} | fields))


def read(reader: Reader, hours: int = 24, bars: int = 24) -> dict[str, TaskActivity]:
    """Return the activity of each task in the first hours."""
    return tasks_of(reader, instant(BEGIN), instant(BEGIN) + hours * HOUR, bars)


def test_runs_are_counted_by_task_and_status(writer: Writer, reader: Reader) -> None:
    """The pages of tasks show nothing else."""
    write(writer, ended("run_1", 1), ended("run_2", 2, status="FAILED"), ended("run_3", 3, status="CANCELED"),
          ended("run_4", 3_600_000, task="u", status="TIMED_OUT"), ended("run_5", 5, status="EXECUTING"))  # fmt: skip
    found = read(reader)
    assert found["t"].counts == {RunStatus.COMPLETED: 1, RunStatus.FAILED: 1, RunStatus.CANCELED: 1}
    assert (found["t"].total, found["t"].failed_share) == (3, 0.5)
    assert [bar.total for bar in found["t"].bars[:3]] == [3, 0, 0]
    assert [bar.failed for bar in found["u"].bars[:3]] == [0, 1, 0]
    assert len(found["t"].bars) == 24
    assert TaskActivity().failed_share is None


def test_a_run_that_is_written_again_is_counted_once(writer: Writer, reader: Reader) -> None:
    """Entries come at least once, and a run that has ended still gets log lines and metadata."""
    batches = [
        RowBatch([rows("run_1", 1, status="QUEUED", attempt="0")]),
        RowBatch([ended("run_1", 10, 2)]),
        RowBatch([ended("run_1", 10, 3, metadata="{}")]),
        RowBatch([], gone={"run_1": ("COMPLETED", BEGIN + 10, 4)}),
    ]
    again = [*batches, *batches]
    random.shuffle(again)
    for batch in again:
        writer.write(batch, 0)
    assert read(reader)["t"].total == 1


def test_two_feeders_at_once_count_a_run_once(database: Database, writer: Writer, reader: Reader) -> None:
    """A leader that was taken for dead may still be writing."""
    batch = RowBatch([ended(f"run_{number}", number) for number in range(20)])

    def write_batch(_: int) -> None:
        Writer(database, "dev").write(batch, 0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write_batch, range(8)))
    assert read(reader)["t"].total == 20


def test_shards_that_write_at_once_lose_no_count(database: Database, writer: Writer, reader: Reader) -> None:
    """Their runs differ, and their intervals are the same."""
    for shard in range(1, 6):
        writer.set_position(shard, 0, is_complete=True)

    def write_run(number: int) -> None:
        Writer(database, "dev").write(RowBatch([ended(f"run_{number}", number)]), number % 6)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write_run, range(60)))
    assert read(reader)["t"].total == 60


def test_a_batch_that_is_refused_counts_nothing(writer: Writer, reader: Reader, database: Database) -> None:
    """Counts are of the transaction of the rows."""
    with database.writing() as connection:
        connection.execute(text("DELETE FROM taskflow_feeds"))
    with pytest.raises(Exception, match="new one"):
        write(writer, ended("run_1", 1), position=5)
    writer.set_position(0, 0, is_complete=True)
    assert read(reader) == {}


def test_runs_that_end_outside_of_their_records_are_counted(writer: Writer, reader: Reader) -> None:
    """One has left the store before its end was read, another one the store has lost."""
    write(
        writer,
        rows("run_1", status="EXECUTING", created=str(BEGIN)),
        rows("run_2", created=str(BEGIN), status="QUEUED"),
    )
    write(writer, gone={"run_1": ("FAILED", BEGIN + 5, 7), "run_unknown": ("FAILED", BEGIN + 5, 7)})
    writer.end_lost([Unfinished("run_2", BEGIN, 1)], BEGIN + 6, RunError("RunLost", "lost"))
    writer.end_lost([Unfinished("run_2", BEGIN, 1)], BEGIN + 6, RunError("RunLost", "lost"))
    assert read(reader)["t"].counts == {RunStatus.FAILED: 1, RunStatus.SYSTEM_FAILURE: 1}


@pytest.mark.parametrize("following", [["EXECUTING", "COMPLETED"], ["COMPLETED"]])
def test_a_run_that_was_not_lost_after_all_is_counted_once(
    writer: Writer, reader: Reader, following: list[str]
) -> None:
    """A store may come back with its data, for example from another disk."""
    write(writer, rows("run_1", 1, status="EXECUTING", created=str(BEGIN), started=str(BEGIN)))
    write(writer, ended("run_2", 10, status="SYSTEM_FAILURE"))
    writer.end_lost([Unfinished("run_1", BEGIN, 1)], BEGIN + 6, RunError("RunLost", "lost"))
    assert read(reader)["t"].counts == {RunStatus.SYSTEM_FAILURE: 2}
    for _ in range(2):
        for revision, status in enumerate(following, 2):
            write(writer, ended("run_1", 5000, revision, status=status))
    task = read(reader)["t"]
    assert task.counts == {RunStatus.SYSTEM_FAILURE: 1, RunStatus.COMPLETED: 1}
    assert task.mean_took == timedelta(seconds=2)


def test_durations_begin_when_a_run_might_start(writer: Writer, reader: Reader) -> None:
    """A delay of an hour is no wait in a queue, and a run that never started took no time."""
    write(writer, ended("run_1", 4_000_000, due=str(BEGIN + 3_997_500), created=str(BEGIN)),
          _without(ended("run_2", 4_000_000, status="EXPIRED", attempt="0")))  # fmt: skip
    task = read(reader)["t"]
    assert task.took.p50 == pytest.approx(timedelta(seconds=2), rel=0.1)
    assert task.waited.p95 == pytest.approx(timedelta(milliseconds=500), rel=0.1)
    assert task.mean_took == timedelta(seconds=2)


def test_a_long_period_reads_whole_days(writer: Writer, reader: Reader) -> None:
    """Its ends are quarters of an hour: no run is counted twice, and none is missing."""
    day = 86_400_000
    times = [0, day // 2, day - 1, day, 2 * day, 3 * day - 1, 3 * day, 3 * day + day // 2 - 1, 3 * day + day // 2]
    write(writer, *(ended(f"run_{number}", ms) for number, ms in enumerate(times)))
    begin = instant(BEGIN) + 12 * HOUR
    task = tasks_of(reader, begin, begin + timedelta(days=3), 72)["t"]
    assert task.total == 7
    bars = bars_of(reader, begin, begin + timedelta(days=3), 72)
    assert sum(bar.completed for bar in bars) == 7
    assert bars[0].completed == 1
    assert bars_of(reader, begin, begin + timedelta(days=3), 72, ["other"])[0].total == 0


def test_runs_that_have_not_ended_are_counted_by_task(writer: Writer, reader: Reader) -> None:
    """The page of tasks shows what executes now."""
    write(writer, ended("run_1"), ended("run_2", 0, 1, status="EXECUTING"), ended("run_3", 0, 1, status="QUEUED"))
    assert activity.live_counts(reader) == {("t", RunStatus.EXECUTING): 1, ("t", RunStatus.QUEUED): 1}


def test_an_hour_is_shown_by_minutes(writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four quarters of an hour would be no picture."""
    write(writer, ended("run_1", 61_000), ended("run_2", 61_500))
    monkeypatch.setattr(activity, "MINUTES_KEPT", 10**15)
    bars = bars_of(reader, instant(BEGIN), instant(BEGIN) + HOUR, 60)
    assert [bar.total for bar in bars[:4]] == [0, 2, 0, 0]
    assert len(bars) == 60


def test_counts_of_trimmed_runs_go(writer: Writer, reader: Reader, database: Database) -> None:
    """They are kept as long as runs are."""
    write(writer, ended("run_1", 5))
    writer.trim(BEGIN + 1)
    writer.trim(BEGIN + 2 * 86_400_000)
    assert read(reader)["t"].total == 1
    writer.trim(BEGIN + 2 * 86_400_000)
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM taskflow_rollups")).scalar_one() == 0


def test_a_quantile_is_within_9_percent() -> None:
    """The table says so."""
    chance = random.Random(7)
    durations = sorted(round(chance.lognormvariate(7, 2)) for _ in range(5000))
    made: Histogram = Histogram(map(histogram.bucket_of, durations))
    for share in (0.5, 0.95):
        assert histogram.quantile(made, share) == pytest.approx(durations[round(share * 5000) - 1], rel=0.09)
    assert histogram.quantile(Histogram(), 0.5) is None
    assert histogram.read(histogram.written(made)) == made
    assert [histogram.bucket_of(ms) for ms in (0, 1, 2, 4, 10**30)] == [0, 1, 5, 9, 176]


def _without(made: Rows) -> Rows:
    record: dict[str, Any] = json.loads(made.run["record"])
    del record["started"]
    return replace(made, run=made.run | {"record": json.dumps(record)})
