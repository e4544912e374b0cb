"""Schedules in the store: each tick makes one run, whoever fires it, whatever changes meanwhile."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from taskflow.definition.scheduling.missed import MOST_MADE_UP
from taskflow.errors import CronError, ScheduleError, ScheduleNotFoundError
from taskflow.models import RunStatus
from taskflow.store import operations
from taskflow.store.operations.schedules.calls import NextTick, fire_schedule, read_schedules
from taskflow.store.sync_store import Store
from taskflow.store.wire import new_run_id, shard_of_queue
from tests.support.bench import ERROR, HEARTBEAT, LEASE, Bench, make_bench
from tests.support.permanent_keys import is_permanent
from tests.support.scheduling import Scheduling, doubles, is_live, make_scheduling, ticks, version_of
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


@pytest.fixture
def scheduling(one_bench: Bench, tmp_path: Path) -> Scheduling:
    """The engine and upkeep's firing on each server."""
    made = make_scheduling(one_bench, tmp_path)
    made.set_clock("2027-01-15T12:00:00Z")
    return made


@pytest.fixture
def sharded(valkey: RedisServer, tmp_path: Path) -> Iterator[Scheduling]:
    """The same on a store of three shards, at the shard of the queue ``task/tick``."""
    for bench in make_bench(valkey, shards=3, shard=shard_of_queue("task/tick", 3)):
        yield make_scheduling(bench, tmp_path)


def test_a_tick_makes_one_run_with_the_payload_of_the_tick(scheduling: Scheduling) -> None:
    """The payload has the nominal instant, however late the run is made."""
    made = scheduling.create(cron="0 13 * * *", timezone="Europe/Berlin", external_id="customer-1")
    assert made.next_run == datetime(2027, 1, 16, 12, tzinfo=UTC)
    scheduling.set_clock("2027-01-16T12:00:02.5Z")
    scheduling.fire()
    scheduling.fire()
    (run,) = scheduling.runs()
    assert run.payload == {
        "timestamp": "2027-01-16T12:00:00.000Z",
        "schedule_id": made.id,
        "timezone": "Europe/Berlin",
        "last_timestamp": None,
        "external_id": "customer-1",
        "upcoming": [f"2027-01-{day}T12:00:00.000Z" for day in range(17, 27)],
        "type": "IMPERATIVE",
    }
    assert run.triggered_by == "tick 2027-01-16T12:00:00.000Z"
    after = scheduling.engine.retrieve(made.id)
    assert (after.last_run, after.last_run_id) == (datetime(2027, 1, 16, 12, tzinfo=UTC), run.id)
    assert after.next_run == datetime(2027, 1, 17, 12, tzinfo=UTC)


def test_a_second_node_and_a_late_call_fire_nothing(scheduling: Scheduling) -> None:
    """A frozen node that wakes up must not fire what others have fired."""
    made = scheduling.create(every="10s")
    scheduling.bench.pass_time(10)
    stored = scheduling.bench.run(read_schedules([made.id])).found[0]
    scheduling.fire()
    assert stored.schedule.next_run is not None
    new = operations.making.NewRun(new_run_id(0), "tick", b"{}", None, "task/tick", "small-1x.process", 3)
    late = fire_schedule(stored, stored.schedule.next_run, NextTick(None, None), new)
    assert scheduling.bench.run(late)[0] == 0
    assert len(scheduling.runs()) == 1


def test_nodes_that_fire_at_once_make_one_run_a_tick(scheduling: Scheduling) -> None:
    """Every node of a fleet may have the tick for a moment."""
    for number in range(30):
        scheduling.create(every="1s", external_id=str(number))
    scheduling.bench.pass_time(1)
    threads = [threading.Thread(target=scheduling.fire) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(scheduling.runs()) == 30
    assert doubles(scheduling.runs()) == {}


def test_a_period_is_anchored_and_does_not_drift(scheduling: Scheduling) -> None:
    """``run_now``, late upkeep and restarts move no tick."""
    made = scheduling.create(every="24h")
    assert made.anchor is not None
    for day in range(1, 6):
        scheduling.bench.pass_time(86_400 + day)
        scheduling.bench.now[0] -= day * 1_000_000 - 1_000_000 * (day % 3)
        scheduling.fire()
        scheduling.engine.run_now(made.id)
        after = scheduling.engine.retrieve(made.id)
        assert after.next_run == made.anchor + (day + 1) * timedelta(hours=24)


def test_a_clock_that_is_set_back_fires_no_tick_again(scheduling: Scheduling) -> None:
    """The stored next tick counts, so that an hour that comes twice has no second runs."""
    scheduling.create(cron="*/10 * * * *", catch_up="all")
    scheduling.pass_time(3700, step=100)
    scheduling.bench.pass_time(-3600)
    scheduling.pass_time(3600, step=100)
    before = len(scheduling.runs())
    scheduling.bench.pass_time(7200)
    scheduling.fire()
    assert before == 6
    assert len(scheduling.runs()) == 18
    assert doubles(scheduling.runs()) == {}


@pytest.mark.parametrize("catch_up, made_up", [("none", 0), ("last", 1), ("all", 6)])
def test_after_an_outage_catch_up_says_which_ticks_are_made_up_for(
    scheduling: Scheduling, catch_up: str, made_up: int
) -> None:
    """A restart must neither lose all nor flood the queue."""
    scheduling.create(cron="0 * * * *", catch_up=catch_up)
    scheduling.bench.pass_time(6 * 3600 + 60)
    scheduling.fire()
    expected = [f"2027-01-15T{hour}:00:00.000Z" for hour in range(13, 19)]
    assert ticks(scheduling.runs()) == (expected[-made_up:] if made_up else [])
    scheduling.set_clock("2027-01-15T19:00:03Z")
    scheduling.fire()
    assert ticks(scheduling.runs())[made_up:] == ["2027-01-15T19:00:00.000Z"]


@pytest.mark.parametrize("catch_up, made_up", [("none", 0), ("last", 1), ("all", 6)])
def test_activation_fires_what_catch_up_says(scheduling: Scheduling, catch_up: str, made_up: int) -> None:
    """Users reported that activating ran at once, and that deactivating forgot the last run."""
    made = scheduling.create(cron="0 * * * *", catch_up=catch_up)
    scheduling.bench.pass_time(3600)
    scheduling.fire()
    scheduling.engine.deactivate(made.id)
    scheduling.pass_time(6 * 3600 + 60, step=600)
    assert len(scheduling.runs()) == 1
    active = scheduling.engine.activate(made.id)
    assert active.last_run == datetime(2027, 1, 15, 13, tzinfo=UTC)
    scheduling.fire()
    assert len(scheduling.runs()) == 1 + made_up
    assert scheduling.engine.retrieve(made.id).next_run == datetime(2027, 1, 15, 20, tzinfo=UTC)


def test_a_long_outage_is_made_up_for_up_to_a_bound_oldest_first(scheduling: Scheduling) -> None:
    """A month of minutes would bury the fleet."""
    scheduling.create(cron="* * * * *", catch_up="all")
    scheduling.bench.pass_time(30 * 86_400)
    scheduling.fire()
    made = ticks(scheduling.runs())
    assert len(made) in (MOST_MADE_UP, MOST_MADE_UP + 1)
    assert made[-1] == "2027-02-14T12:00:00.000Z"


def test_a_change_fires_nothing_and_no_tick_of_the_old_rule(scheduling: Scheduling) -> None:
    """The next tick is the first one after now."""
    made = scheduling.create(cron="0 13 * * *")
    scheduling.set_clock("2027-01-15T13:00:00Z")
    changed = scheduling.engine.update(made.id, {"cron": "30 12 * * *"})
    scheduling.pass_time(120, step=10)
    assert scheduling.runs() == []
    assert changed.next_run == datetime(2027, 1, 16, 12, 30, tzinfo=UTC)


def test_changes_of_others_neither_lose_nor_repeat_a_tick(scheduling: Scheduling) -> None:
    """Schedules are created, changed and deleted all the time."""
    steady = [scheduling.create(every="1s").id for _ in range(20)]
    for number in range(50):
        other = scheduling.create("other", every="1s", deduplication_key=f"k{number % 5}")
        scheduling.pass_time(0.2, step=0.1)
        scheduling.engine.update(other.id, {"every": f"{1 + number % 3}s"})
        if number % 4 == 0:
            scheduling.engine.delete(other.id)
    own = [run for run in scheduling.runs() if run.schedule_id in steady]
    assert len(own) == 20 * 10
    assert doubles(own) == {}


def test_the_deduplication_key_makes_two_calls_one_schedule(scheduling: Scheduling) -> None:
    """A program that makes its schedules at each start must not collect them."""
    first = scheduling.create(cron="0 3 * * *", deduplication_key="k", external_id="a")
    again = scheduling.create(cron="0 3 * * *", deduplication_key="k", external_id="b")
    other = scheduling.create(cron="0 4 * * *", deduplication_key="k")
    assert first.id == again.id == other.id
    assert (again.external_id, again.next_run) == ("b", first.next_run)
    assert (other.cron, other.next_run) == ("0 4 * * *", datetime(2027, 1, 16, 4, tzinfo=UTC))
    assert scheduling.engine.list(1, 10).total == 1


def test_a_deactivated_schedule_stays_so_when_it_is_created_again(scheduling: Scheduling) -> None:
    """An operator has paused it; the program that makes it starts anew."""
    made = scheduling.create(cron="0 3 * * *", deduplication_key="k")
    scheduling.engine.deactivate(made.id)
    assert scheduling.create(cron="0 3 * * *", deduplication_key="k").is_active is False
    assert scheduling.create(cron="0 3 * * *", deduplication_key="k", active=True).next_run is not None


@pytest.mark.parametrize("overlap, statuses", [("allow", "live live"), ("cancel_previous", "canceled live")])
def test_a_tick_beside_a_run_that_goes_on(scheduling: Scheduling, overlap: str, statuses: str) -> None:
    """The overlap rule decides, in the script that makes the run."""
    scheduling.create(every="10s", overlap=overlap)
    scheduling.pass_time(20, step=10)
    found = " ".join("live" if is_live(run) else run.status.value.lower() for run in scheduling.runs())
    assert found == statuses


def test_skip_leaves_a_tick_out_while_a_run_goes_on(scheduling: Scheduling) -> None:
    """A tick that is left out is not the last one."""
    made = scheduling.create(every="10s", overlap="skip")
    scheduling.pass_time(30, step=10)
    (run,) = scheduling.runs()
    after = scheduling.engine.retrieve(made.id)
    assert (after.skipped, after.last_run_id) == (2, run.id)
    scheduling.finish(run.id)
    scheduling.pass_time(10, step=10)
    assert len(scheduling.runs()) == 2


def test_queue_makes_each_run_when_the_one_before_has_ended(scheduling: Scheduling) -> None:
    """No tick is lost, and no two runs are there at a time."""
    scheduling.create(every="30s", overlap="queue")
    scheduling.pass_time(90, step=1)
    assert len(scheduling.runs()) == 1
    for count in (2, 3):
        scheduling.finish(scheduling.runs()[-1].id)
        scheduling.fire()
        assert len(scheduling.runs()) == count
    assert len([run for run in scheduling.runs() if is_live(run)]) == 1
    assert doubles(scheduling.runs()) == {}


def test_one_broken_schedule_blocks_no_other(scheduling: Scheduling) -> None:
    """A zone that a node does not know must not stop the fleet's schedules."""
    broken = scheduling.create(cron="* * * * *", timezone="Europe/Berlin")
    good = scheduling.create(cron="* * * * *")
    key = scheduling.bench.key(f"schedule:{broken.id}")
    scheduling.bench.redis("HSET", key, "timezone", "Mars/Olympus")
    scheduling.pass_time(60, step=10)
    assert [run.schedule_id for run in scheduling.runs()] == [good.id]
    error = scheduling.engine.retrieve(broken.id).error
    assert error is not None
    assert "Mars/Olympus" in error
    scheduling.bench.redis("HSET", key, "timezone", "Europe/Berlin")
    scheduling.pass_time(120, step=10)
    assert scheduling.engine.retrieve(broken.id).error is None
    assert len(scheduling.runs(broken.id)) > 0


def test_a_record_that_cannot_be_read_blocks_no_other(scheduling: Scheduling) -> None:
    """A newer version may have written it, during a rolling deployment."""
    strange, good = scheduling.create(every="1h"), scheduling.create(every="1h")
    scheduling.bench.redis("HSET", scheduling.bench.key(f"schedule:{strange.id}"), "every", "hourly")
    scheduling.bench.pass_time(3600)
    scheduling.fire()
    assert [run.schedule_id for run in scheduling.runs()] == [good.id]
    assert [each.id for each in scheduling.engine.list(1, 10)] == [good.id]
    scheduling.bench.redis("HSET", scheduling.bench.key(f"schedule:{strange.id}"), "every", "3600000")
    scheduling.pass_time(65)
    assert scheduling.engine.retrieve(strange.id).next_run == scheduling.engine.retrieve(good.id).next_run


def test_a_full_store_takes_a_tick_once_it_has_room(scheduling: Scheduling) -> None:
    """Until then the tick waits, and upkeep does not turn in a circle."""
    made = scheduling.create(every="1h")
    scheduling.bench.pass_time(3600)
    with scheduling.bench.server.full():
        scheduling.fire()
        scheduling.fire()
    assert scheduling.runs() == []
    scheduling.pass_time(2, step=1)
    assert len(scheduling.runs()) == 1
    assert scheduling.engine.retrieve(made.id).error is None


def test_jitter_spreads_schedules_and_keeps_nominal_times(scheduling: Scheduling) -> None:
    """Hourly schedules would all start at one instant. Each has its own share of the window, always the same."""
    made = [scheduling.create(cron="0 * * * *", jitter="10m") for _ in range(100)]
    offsets = [each.next_fire - each.next_run for each in made if each.next_fire and each.next_run]
    assert all(timedelta(0) <= offset < timedelta(minutes=10) for offset in offsets)
    assert max(offsets) - min(offsets) > timedelta(minutes=7)
    scheduling.pass_time(3600 + 600)
    assert set(ticks(scheduling.runs())) == {"2027-01-15T13:00:00.000Z"}
    assert len(scheduling.runs()) == 100
    again = [scheduling.engine.retrieve(each.id) for each in made]
    assert [each.next_fire - each.next_run for each in again if each.next_fire and each.next_run] == offsets


def test_a_list_has_pages_and_can_be_of_one_task(scheduling: Scheduling) -> None:
    """Pages are in the order of making."""
    made: list[str] = []
    for number in range(7):
        made.append(scheduling.create("other" if number % 3 == 0 else "tick", every="1h").id)
        scheduling.bench.pass_time(0.001)
    page = scheduling.engine.list(2, 3)
    assert ([each.id for each in page], page.total, page.pages) == (made[3:6], 7, 3)
    assert [each.id for each in scheduling.engine.list(1, 10, "other")] == made[::3]


def test_a_deleted_schedule_is_gone_and_its_runs_stay(scheduling: Scheduling) -> None:
    """Nothing of it is left in the store."""
    made = scheduling.create(every="1s")
    scheduling.pass_time(1)
    scheduling.engine.delete(made.id)
    scheduling.pass_time(5)
    assert len(scheduling.runs()) == 1
    with pytest.raises(ScheduleNotFoundError):
        scheduling.engine.retrieve(made.id)
    with pytest.raises(ScheduleNotFoundError):
        scheduling.engine.delete(made.id)
    assert not scheduling.bench.redis("EXISTS", scheduling.bench.key(f"schedule:{made.id}"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cron": "* * * * *", "every": "1s"},
        {"cron": "61 * * * *"},
        {"every": "0.5s"},
        {"every": 0.5},
        {"every": "1s", "timezone": "Europe/Berlin"},
        {"cron": "@daily", "timezone": "Mars/Olympus"},
        {"cron": "@daily", "overlap": "both"},
        {"cron": "@daily", "catch_up": "some"},
        {"cron": "@daily", "jitter": "25h"},
        {"cron": "@daily", "jitter": "130%"},
        {"cron": "@daily", "external_id": "\ud800"},
        {"cron": "@daily", "deduplication_key": ""},
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_written(scheduling: Scheduling, options: dict[str, Any]) -> None:
    """With what is wrong and what to write instead."""
    with pytest.raises(ScheduleError, match=r"\. "):
        scheduling.create(**options)
    assert scheduling.engine.list(1, 10).total == 0


def test_a_task_that_nobody_has_registered_cannot_be_scheduled(scheduling: Scheduling) -> None:
    """Its ticks would wait in vain."""
    with pytest.raises(ScheduleError, match="Did you mean 'other'"):
        scheduling.create("othr", every="1s")
    with pytest.raises(CronError):
        scheduling.create("tick", cron="* * * *")


def test_a_schedule_lives_on_the_shard_of_its_tasks_queue(sharded: Scheduling) -> None:
    """A tick and its run are one script, and no script touches two shards."""
    made = sharded.create(every="1s", deduplication_key="k")
    assert made.id.startswith("sched_01")
    sharded.pass_time(2, step=1)
    assert {run.id[:6] for run in sharded.runs()} == {"run_01"}
    assert sharded.engine.list(1, 10).total == 1
    with pytest.raises(ScheduleError, match="another shard"):
        sharded.create("other", every="1s", deduplication_key="k")


def test_new_time_zone_data_moves_the_next_tick_and_fires_nothing_twice(
    scheduling: Scheduling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Governments change their clocks with a few weeks' notice."""
    made = scheduling.create(cron="0 13 * * *", timezone="Europe/Berlin")
    plain = scheduling.create(cron="0 13 * * *")
    scheduling.set_clock("2027-01-16T12:00:01Z")
    scheduling.fire()
    from taskflow.definition.cron import walk, zones

    def another_zone(_: str) -> object:
        return zones.find_zone("Europe/London")

    monkeypatch.setattr(walk, "find_zone", another_zone)
    for module in ("sync", "plan"):
        monkeypatch.setattr(f"taskflow.engine.schedules.{module}.data_version", lambda: "2099a")
    with version_of("app") as code:
        follower = scheduling.sync("v1", code)
    follower.follow_zones(0)
    follower.follow_zones(0)
    assert scheduling.engine.retrieve(made.id).next_run == datetime(2027, 1, 17, 13, tzinfo=UTC)
    assert scheduling.engine.retrieve(plain.id).next_run == datetime(2027, 1, 16, 13, tzinfo=UTC)
    scheduling.pass_time(3600, step=600)
    assert len(scheduling.runs(made.id)) == 1


def test_a_node_that_dies_while_it_fires_delays_the_others_by_its_turn(scheduling: Scheduling) -> None:
    """A quarter of a second, and not the two seconds for which a node has the tick of upkeep."""
    scheduling.create(every="1s")
    scheduling.bench.pass_time(1)
    ticks_of = {
        name: operations.nodes.take_tick(name, heartbeat=HEARTBEAT, sweep=LEASE, hold=timedelta(seconds=2))
        for name in ("n1", "n2")
    }
    assert "schedules" in scheduling.bench.run(ticks_of["n1"]).due
    waiting = scheduling.bench.run(ticks_of["n2"])
    assert ("schedules" in waiting.due, waiting.wait_ms <= 251) == (False, True)
    wait_until(lambda: "schedules" in scheduling.bench.run(ticks_of["n2"]).due, "the other node's turn", timeout=2)


def test_the_node_that_fired_last_looks_first(scheduling: Scheduling) -> None:
    """Ten nodes that all look at each instant would cost ten times as much."""
    scheduling.create(every="1s")
    scheduling.bench.pass_time(1)
    first, second = (
        operations.nodes.take_tick(name, heartbeat=HEARTBEAT, sweep=LEASE, hold=timedelta(seconds=2))
        for name in ("n1", "n2")
    )
    assert "schedules" in scheduling.bench.run(first).due
    scheduling.fire()
    for name in ("n1", "n2"):
        scheduling.bench.run(operations.nodes.reap_nodes(LEASE, HEARTBEAT, ERROR))
        scheduling.bench.run(operations.nodes.release_tick(name))
    scheduling.bench.sweep()
    waits = [scheduling.bench.run(each).wait_ms for each in (first, second)]
    assert 55 <= waits[1] - waits[0] <= 65


def test_every_permanent_key_of_schedules_is_one_of_the_table(scheduling: Scheduling) -> None:
    """A key that nobody trims has to be known."""
    scheduling.create(every="1s")
    with version_of("app", ("other", {"every": "1h"})) as code:
        scheduling.sync("v1", code)
    scheduling.pass_time(1)
    assert isinstance(scheduling.bench.store, Store)
    keys = [str(key) for key in scheduling.bench.redis("KEYS", scheduling.bench.key("*"))]
    lasting = [key for key in keys if scheduling.bench.redis("TTL", key) == -1]
    assert [key for key in lasting if "schedul" in key] != []
    assert [key for key in lasting if not is_permanent(key, is_live_run=":run:" in key)] == []


def test_a_run_knows_its_schedule(scheduling: Scheduling) -> None:
    """Filters and the record name it."""
    made = scheduling.create(every="1s")
    scheduling.pass_time(1)
    handle = scheduling.engine.run_now(made.id)
    record = scheduling.bench.run(operations.runs.read_run(handle))
    assert (record.schedule_id, record.status) == (made.id, RunStatus.QUEUED)
