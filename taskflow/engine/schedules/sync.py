"""Bring the schedules that tasks declare into the store, and take those away that the code declares no more.

During a rolling deployment nodes of several versions register. The set of the version that was first seen last counts,
while it has a live node; so an old node that starts again does not bring an old schedule back.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from taskflow.definition.cron.zones import data_version
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.definition.scheduling.rule import Rule
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.schedules.plan import declared_schedule_id, next_tick, warn_of_two_days
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.schedules.calls import (
    Declared,
    NextTick,
    list_schedules,
    move_schedule,
    note_zones,
    put_schedule,
    read_declared,
)
from taskflow.store.operations.schedules.records import Read, StoredSchedule, ms, rule_fields
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_queue

log = logging.getLogger("taskflow.schedules")
REMEMBERED: Final = timedelta(days=30)
"""Time for which the store remembers that a declared schedule was removed."""
_PAGE: Final = 500


class ScheduleSync:
    """The declarations of one node's code."""

    def __init__(self, store: Store, definitions: Iterable[TaskDefinition], version: str | None, shards: int) -> None:
        known = list(definitions)
        self._store, self._shards = store, shards
        self._declared = {each.id: (each, each.schedule) for each in known if each.schedule is not None}
        self.modules = sorted({each.module for each in known})
        digests = [f"{task_id} {_digest(each, options)}" for task_id, (each, options) in sorted(self._declared.items())]
        self.stamp = f"{version or ''}:{_hash(json.dumps(digests))}"
        self._zones_done: set[int] = set()

    def sync(self, shard: int, *, with_orphans: bool = False) -> None:
        """Add, change and remove schedules of a shard. May be repeated.

        Args:
            with_orphans: Remove also those of modules that no live node has imported. Not while nodes are starting.
        """
        declared: Declared = self._store.run(read_declared(self.stamp), shard=shard)
        known = {record.schedule.id: record for record in declared.records}
        own = self._own(shard)
        writes: list[tuple[Operation[Any], int]] = []
        for schedule_id, (definition, options) in own.items():
            record = known.get(schedule_id)
            if record is None or self._is_outdated(record, definition, options, declared):
                writes.append((self._put(schedule_id, record, definition, options, declared), shard))
        for schedule_id, record in known.items():
            if schedule_id not in own and not record.is_removed and self._is_gone(record, declared, with_orphans):
                log.info("schedule.removed: %s of task %s", schedule_id, record.schedule.task_id)
                stamp = declared.stamp if record.module in self.modules else record.stamp
                writes.append((_removal(record, stamp), shard))
        self._store.run_many(writes)

    def follow_zones(self, shard: int) -> None:
        """Compute the next ticks anew if this node has newer time zone data than the store's ticks come from."""
        if shard in self._zones_done:
            return
        version = data_version()
        if version <= self._store.run(note_zones(""), shard=shard):
            self._zones_done.add(shard)
            return
        offset, total = 0, 1
        while offset < total:
            read: Read = self._store.run(list_schedules(offset, _PAGE), shard=shard)
            moves = (_moved(record, read.now) for record in read.found)
            self._store.run_many([(move, shard) for move in moves if move is not None])
            offset, total = offset + _PAGE, read.total
        self._store.run(note_zones(version), shard=shard)
        self._zones_done.add(shard)

    def _own(self, shard: int) -> Mapping[str, tuple[TaskDefinition, ScheduleOptions]]:
        return {
            declared_schedule_id(shard, task_id): (definition, options)
            for task_id, (definition, options) in self._declared.items()
            if shard_of_queue(definition.queue_name, self._shards) == shard
        }

    def _is_outdated(
        self, record: StoredSchedule, definition: TaskDefinition, options: ScheduleOptions, declared: Declared
    ) -> bool:
        if record.stamp > declared.stamp:  # newer code has declared, or removed it
            return False
        return record.is_removed or record.digest != _digest(definition, options)

    def _is_gone(self, record: StoredSchedule, declared: Declared, with_orphans: bool) -> bool:
        if record.module in self.modules:
            return record.stamp <= declared.stamp
        return with_orphans and record.module not in declared.modules

    def _put(
        self,
        schedule_id: str,
        record: StoredSchedule | None,
        definition: TaskDefinition,
        options: ScheduleOptions,
        declared: Declared,
    ) -> Operation[Any]:
        before = record.schedule if record else None
        anchor: datetime | None = None
        if options.every is not None:
            anchor = before.anchor if before and before.anchor and before.every == options.every else declared.now
        rule = Rule(options.cron, options.every, options.timezone, anchor, options.jitter)
        is_paused = before is not None and before.paused_at is not None
        changes = rule_fields(options, anchor) | {
            "task": definition.id,
            "declared": "1",
            "active": "0" if is_paused else "1",
            "module": definition.module,
            "digest": _digest(definition, options),
            "stamp": str(declared.stamp),
            "removed": "",
        }
        if is_paused:
            following = NextTick(None, None)
        elif before and before.next_run and before.rule == rule:
            following = NextTick(before.next_run, before.next_fire)
        else:
            following = next_tick(rule, schedule_id, rule.after(declared.now))
        log.info("schedule.declared: %s of task %s, next %s", schedule_id, definition.id, following.tick)
        warn_of_two_days(schedule_id, options)
        return put_schedule(schedule_id, before.revision if before else None, changes, following)


def _removal(record: StoredSchedule, stamp: int) -> Operation[Any]:
    schedule = record.schedule
    changes = {"removed": "1", "active": "0", "stamp": str(stamp)}
    if schedule.paused_at is None:
        changes["paused"] = ms(schedule.next_run)
    return put_schedule(schedule.id, schedule.revision, changes, NextTick(None, None), REMEMBERED)


def _moved(record: StoredSchedule, now: datetime) -> Operation[bool] | None:
    """Return the move of a schedule whose next tick is another one by this node's time zone data.

    Of the ticks that follow now, the nearest to the old one is it. So a tick that has fired does not come again
    because the clock of its zone is now known to have been set back.
    """
    schedule = record.schedule
    old = schedule.next_run
    if schedule.cron is None or schedule.timezone == "UTC" or old is None or old <= now:
        return None
    ticks = schedule.rule.upcoming(now, 2)
    if not ticks or record.zones == data_version():
        return None
    tick = min(ticks, key=lambda each: abs(each - old))
    return move_schedule(record, next_tick(schedule.rule, schedule.id, tick))


def _digest(definition: TaskDefinition, options: ScheduleOptions) -> str:
    return _hash(json.dumps([definition.id, definition.module, rule_fields(options, None)], sort_keys=True))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
