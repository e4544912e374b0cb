"""Schedules within a drive, and the comparison of their ticks with the runs in the store."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from taskflow import StoreUnavailableError, TaskFlow, schedules
from taskflow.definition.scheduling.schedule import Schedule
from taskflow.store.operations.schedules.calls import read_schedules
from taskflow.store.operations.schedules.records import Read
from tests.support.servers import Client

PERIODS = (timedelta(seconds=1), timedelta(seconds=1.5), timedelta(seconds=2))
PATIENCE_SECONDS = 30

TickRun = tuple[str, int, int, str]
"""Schedule, tick in ms, time of making in ms, and status of a run."""


class Ticking:
    """Some schedules that fire while everything fails."""

    def __init__(self, flow: TaskFlow, task_id: str, count: int, periods: Sequence[timedelta] = PERIODS) -> None:
        self._flow = flow
        self.schedules = [
            schedules.create(
                task_id, every=periods[number % len(periods)], catch_up="all", deduplication_key=str(number)
            )
            for number in range(count)
        ]
        self._ends: dict[str, datetime] = {}

    def stop(self) -> None:
        """Deactivate all. What they have fired by then is what is compared."""
        self._ends = {each.id: self._stop(each) for each in self.schedules}

    def problems(self, runs: Sequence[TickRun]) -> list[str]:
        """Return the ticks without a run, with several, and with one that did not complete."""
        counted = Counter((schedule_id, tick) for schedule_id, tick, _, _ in runs)
        expected = self.expected()
        found = [f"tick {tick} has {number} runs" for tick, number in counted.items() if number > 1]
        found += [f"tick {tick} has no run" for tick in sorted(expected - counted.keys())]
        found += [f"{tick} has a run, and is no tick" for tick in sorted(counted.keys() - expected)]
        found += [f"the run of tick {tick} ended {status}" for _, tick, _, status in runs if status != "COMPLETED"]
        return found[:20]

    def expected(self) -> set[tuple[str, int]]:
        """Return every tick from the making of the schedules to their stop, in ms."""
        return {(each.id, tick) for each in self.schedules for tick in _ticks(each, self._ends[each.id])}

    def _stop(self, schedule: Schedule) -> datetime:
        """Deactivate a schedule. Return the first tick that it has not fired."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                schedules.deactivate(schedule.id)
                read: Read = self._flow.store.run(read_schedules([schedule.id]), shard=int(schedule.id[6:8], 16))
            except StoreUnavailableError:
                assert time.monotonic() < deadline, "the store did not come back"
            else:
                paused_at = read.found[0].paused_at
                assert paused_at is not None
                return paused_at


def tick_runs(client: Client, base: str) -> list[TickRun]:
    """Return every run of a schedule in the store."""
    found: dict[str, TickRun] = {}  # SCAN may give a key twice
    cursor: Any = "0"
    while True:
        page: Any = client.execute_command("SCAN", cursor, "MATCH", f"{base}:run:*", "COUNT", 1000)
        cursor, keys = page
        for key in keys:
            fields: Any = client.execute_command("HMGET", key, "schedule", "payload", "created", "status")
            if fields[0]:
                with contextlib.suppress(KeyError):
                    tick = _milliseconds(json.loads(fields[1]))
                    found[str(key)] = (str(fields[0]), tick, int(fields[2]), str(fields[3]))
        if str(cursor) == "0":
            return list(found.values())


def _milliseconds(payload: Mapping[str, str]) -> int:
    return round(datetime.fromisoformat(payload["timestamp"]).astimezone(UTC).timestamp() * 1000)


def _ticks(schedule: Schedule, end: datetime) -> list[int]:
    assert schedule.anchor is not None
    assert schedule.every is not None
    ticks, tick = list[int](), schedule.anchor + schedule.every
    while tick < end:
        ticks.append(round(tick.timestamp() * 1000))
        tick += schedule.every
    return ticks
