"""Copies of schedules in the history: an emptied store gets them back."""

from datetime import timedelta
from pathlib import Path

import pytest

from taskflow.history.database import Database
from taskflow.history.schedules import ScheduleRows
from taskflow.store.sync_store import Store
from taskflow.upkeep.schedule_copies import ScheduleCopies
from tests.history.conftest import ENVIRONMENT
from tests.support.bench import Bench
from tests.support.scheduling import Scheduling, make_scheduling, version_of
from tests.support.servers import RedisServer


@pytest.fixture
def scheduling(bench: Bench, tmp_path: Path) -> Scheduling:
    """The engine of schedules."""
    made = make_scheduling(bench, tmp_path)
    made.set_clock("2027-01-15T12:00:00Z")
    return made


def copies_of(bench: Bench, database: Database) -> ScheduleCopies:
    """Return what the process that feeds the history does."""
    assert isinstance(bench.store, Store)
    return ScheduleCopies(bench.store, 0, lambda: ScheduleRows(database, ENVIRONMENT))


def test_an_emptied_store_gets_the_schedules_back_that_programs_have_made(
    scheduling: Scheduling, database: Database, valkey: RedisServer, tmp_path: Path
) -> None:
    """Users of other schedulers lost theirs when the server restarted."""
    copies = copies_of(scheduling.bench, database)
    daily = scheduling.create(cron="0 3 * * *", timezone="Europe/Berlin", external_id="c", jitter="30%", overlap="skip")
    paused = scheduling.create(every="90s", deduplication_key="k", catch_up="all")
    deleted = scheduling.create(every="1h")
    with version_of("app", ("other", {"every": "1h"})) as code:
        scheduling.sync("v1", code)
    copies.look()
    scheduling.bench.pass_time(1)
    scheduling.engine.deactivate(paused.id)
    scheduling.engine.delete(deleted.id)
    copies.look()
    before = scheduling.engine.retrieve(daily.id)
    valkey.flush()

    again = make_scheduling(scheduling.bench, tmp_path)
    scheduling.bench.pass_time(86_400)
    copies.look()
    copies.look()
    back = {each.id: each for each in again.engine.list(1, 10)}
    assert back.keys() == {daily.id, paused.id}  # the next worker brings back what the code declares
    restored = back[daily.id]
    assert (restored.cron, restored.timezone, restored.external_id) == (
        before.cron,
        before.timezone,
        before.external_id,
    )
    assert (restored.jitter, restored.overlap) == ("30%", "skip")
    assert restored.next_run == before.next_run + timedelta(days=1) if before.next_run else None
    assert (back[paused.id].is_active, back[paused.id].anchor) == (False, paused.anchor)


def test_a_history_that_was_replaced_gets_all_schedules(scheduling: Scheduling, database: Database) -> None:
    """A new database has no copies, and the list of changes is empty."""
    made = [scheduling.create(every="1h").id for _ in range(3)]
    copies_of(scheduling.bench, database).look()
    rows = ScheduleRows(database, ENVIRONMENT)
    rows.write({}, made)
    copies_of(scheduling.bench, database).look()
    assert sorted(rows.read("sched_00")) == sorted(made)


def test_copies_are_of_one_environment(scheduling: Scheduling, database: Database) -> None:
    """Databases are shared by environments, and ids are not unique among them."""
    made = scheduling.create(every="1h", deduplication_key="k")
    ScheduleRows(database, "other").write({made.id: "{}"}, [])
    copies_of(scheduling.bench, database).look()
    ScheduleRows(database, "other").write({}, [made.id])
    assert list(ScheduleRows(database, ENVIRONMENT).read("sched_00")) == [made.id]
