"""A history that an earlier release has made is brought to the newest schema with all that it has."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Table, insert

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.history.activity import bars_of, tasks_of
from taskflow.history.database import Database
from taskflow.history.error_reader import changed_since, count_new, groups_of, last_change
from taskflow.history.migrate import VERSION_TABLE
from taskflow.history.queue_samples import samples_of
from taskflow.history.reader import Reader
from taskflow.history.rows import Rows, rows_of
from taskflow.history.writer import ATTEMPTS, ERRORS, FEEDS, RUNS, RowBatch, Writer
from tests.history.conftest import ENVIRONMENT, a_record, an_error, open_database

DAY = timedelta(days=1)


def a_failure(run_id: str, revision: int, **fields: str) -> Rows:
    """Return the rows of a run that failed just now."""
    now = round(time.time() * 1000)
    times = {
        "created": now - 62_000,
        "started": now - 61_000,
        "attempt_started": now - 61_000,
        "finished": now - 60_000,
    }
    texts = {name: str(ms) for name, ms in times.items()}
    return rows_of(ENVIRONMENT, run_id, revision, a_record(status="FAILED", error=an_error("boom"), **(texts | fields)))


@pytest.fixture
def earlier(url: str) -> Iterator[Database]:
    """A history of the third schema, with a run that failed."""
    made = open_database(url)
    if made.is_sqlite:
        made.path.touch()
    with made.writing() as connection:
        config = Config()
        config.set_main_option("script_location", "taskflow:history/migrations")
        config.attributes.update(connection=connection, version_table=VERSION_TABLE)
        command.upgrade(config, "0003")
        failure = a_failure("run_0001", 1)
        error = {name: value for name, value in (failure.error or {}).items() if name != "fingerprint"}
        feed = {"environment": ENVIRONMENT, "shard": 0, "position": 5, "is_complete": True}
        tables: list[tuple[Table, Mapping[str, object]]] = [(RUNS, failure.run), (ERRORS, error), (FEEDS, feed)]
        for table, row in [*tables, *((ATTEMPTS, row) for row in failure.attempts)]:
            connection.execute(insert(table).values(row))
    yield made
    made.close()


def test_what_an_earlier_release_wrote_is_kept(earlier: Database) -> None:
    """Its runs are found, what fails from now on is counted, and what was written before is not counted late."""
    earlier.prepare()
    earlier.prepare()
    reader, writer, now = Reader(earlier, ENVIRONMENT), Writer(earlier, ENVIRONMENT), datetime.now(UTC)
    assert writer.position(0) == 5
    assert [run.id for run in reader.list_runs(RunFilter(error="boom", id_end="run_0001"))] == ["run_0001"]
    run = reader.retrieve("run_0001")
    assert run
    assert [attempt.number for attempt in run.attempts] == [1]
    writer.write(RowBatch([a_failure("run_0001", 7, metadata="{}"), a_failure("run_0002", 8)], position=9), 0)
    (group,) = groups_of(reader, now - DAY, now + DAY)
    assert (group.attempts, group.runs) == (1, 1)
    assert tasks_of(reader, now - DAY, now + DAY, 10)["t"].total == 1
    assert {run.id for run in reader.list_runs(RunFilter(fingerprint=group.id))} == {"run_0001", "run_0002"}


def test_a_server_that_is_newer_than_the_workers_shows_the_runs_and_no_counts(earlier: Database) -> None:
    """Its database answers, so that nothing may say that it does not."""
    reader, now = Reader(earlier, ENVIRONMENT), datetime.now(UTC)
    assert [run.id for run in reader.list_runs(RunFilter())] == ["run_0001"]
    assert reader.is_ready()
    assert (bars_of(reader, now - DAY, now, 10), tasks_of(reader, now - DAY, now, 10)) == ((), {})
    assert (groups_of(reader, now - DAY, now), changed_since(reader, now - DAY)) == ([], [])
    assert (count_new(reader, now - DAY), last_change(reader)) == (0, ())
    assert samples_of(reader, "t", now - DAY, now, timedelta(minutes=5)) == ()
