"""Schedules that tasks declare: they follow the code that workers register, and a person's pause outlives that."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from taskflow.errors import DeclaredScheduleError
from tests.support.bench import Bench
from tests.support.scheduling import Scheduling, make_scheduling, version_of


@pytest.fixture
def scheduling(one_bench: Bench, tmp_path: Path) -> Scheduling:
    """The engine and upkeep's firing on each server."""
    made = make_scheduling(one_bench, tmp_path)
    made.set_clock("2027-01-15T12:00:00Z")
    return made


def test_declared_schedules_follow_the_code(scheduling: Scheduling) -> None:
    """They are added, changed and removed when workers register."""
    with version_of("app", ("tick", {"cron": "0 3 * * *"}), ("other", {"every": "1h"})) as first:
        scheduling.sync("v1", first)
    made = {each.task_id: each for each in scheduling.engine.list(1, 10)}
    assert {task_id: each.is_declared for task_id, each in made.items()} == {"tick": True, "other": True}
    with version_of("app", ("tick", {"cron": "0 4 * * *"})) as second:
        scheduling.bench.pass_time(1)
        scheduling.sync("v2", second)
    (left,) = scheduling.engine.list(1, 10)
    assert (left.id, left.cron) == (made["tick"].id, "0 4 * * *")
    assert left.next_run == datetime(2027, 1, 16, 4, tzinfo=UTC)
    with pytest.raises(DeclaredScheduleError):
        scheduling.engine.delete(left.id)
    with pytest.raises(DeclaredScheduleError):
        scheduling.engine.update(left.id, {"cron": "0 5 * * *"})


def test_a_pause_of_a_declared_schedule_outlives_deployments(scheduling: Scheduling) -> None:
    """Its rule follows the code, also while it is paused, and it fires again only when somebody says so."""
    with version_of("app", ("tick", {"cron": "0 3 * * *"})) as first:
        scheduling.sync("v1", first)
    (made,) = scheduling.engine.list(1, 10)
    paused = scheduling.engine.deactivate(made.id)
    assert (paused.is_active, paused.next_run, paused.is_declared) == (False, None, True)
    assert paused.paused_by
    assert paused.paused_at is not None
    with version_of("app", ("tick", {"cron": "0 4 * * *"})) as second:
        scheduling.bench.pass_time(1)
        scheduling.sync("v2", second)
    (left,) = scheduling.engine.list(1, 10)
    assert (left.cron, left.is_active, left.next_run, left.paused_at) == ("0 4 * * *", False, None, paused.paused_at)
    with version_of("app", ("other", {"cron": "0 4 * * *"})) as third:
        scheduling.bench.pass_time(1)
        scheduling.sync("v3", third)
    assert [each.task_id for each in scheduling.engine.list(1, 10)] == ["other"]
    with version_of("app", ("tick", {"cron": "0 5 * * *"})) as fourth:
        scheduling.bench.pass_time(1)
        scheduling.sync("v4", fourth)
    (back,) = scheduling.engine.list(1, 10)
    assert (back.id, back.is_active, back.paused_by) == (made.id, False, paused.paused_by)
    going = scheduling.engine.activate(made.id)
    assert (going.is_active, going.paused_at, going.paused_by) == (True, None, None)
    assert going.next_run is not None
    assert going.next_run.hour == 5


def test_an_old_node_that_starts_again_does_not_bring_a_schedule_back(scheduling: Scheduling) -> None:
    """During a rolling deployment, the newest version's set counts."""
    with version_of("app", ("tick", {"every": "1s"}), ("other", {"every": "1h"})) as first:
        old = scheduling.sync("v1", first)
    scheduling.bench.pass_time(1)
    with version_of("app", ("other", {"every": "2h"})) as second:
        scheduling.sync("v2", second)
    scheduling.bench.pass_time(1)
    old.sync(0)
    assert [(each.task_id, each.every) for each in scheduling.engine.list(1, 10)] == [("other", timedelta(hours=2))]


def test_an_older_version_that_is_deployed_again_counts_once_the_newer_is_gone(scheduling: Scheduling) -> None:
    """A deployment may be taken back."""
    with version_of("app", ("tick", {"every": "1h"})) as first, version_of("app", ("tick", {"every": "2h"})) as second:
        old = scheduling.sync("v1", first)
        scheduling.bench.pass_time(5)
        scheduling.sync("v2", second)
    scheduling.bench.pass_time(60)  # no node is left
    old.sync(0)
    (schedule,) = scheduling.engine.list(1, 10)
    assert schedule.every == timedelta(hours=1)


def test_schedules_of_other_modules_stay_until_no_node_has_them(scheduling: Scheduling) -> None:
    """A fleet may have workers with other tasks, which start a little later."""
    with version_of("app", ("tick", {"every": "1h"})) as app, version_of("shop", ("other", {"every": "1h"})) as shop:
        mine = scheduling.sync("v1", app)
        theirs = scheduling.sync("v1", shop, "shop-node")
    mine.sync(0, with_orphans=True)
    assert scheduling.engine.list(1, 10).total == 2
    scheduling.bench.pass_time(60)
    mine.sync(0, with_orphans=True)
    assert [each.task_id for each in scheduling.engine.list(1, 10)] == ["tick"]
    theirs.sync(0)
    assert scheduling.engine.list(1, 10).total == 2
