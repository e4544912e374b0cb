"""Fire the schedules that are due. Upkeep of any node calls this; two nodes that do so at once fire each tick once."""

import logging
import time
from datetime import datetime, timedelta
from typing import Any, Final

from taskflow.definition.cron.zones import data_version
from taskflow.definition.scheduling.missed import turn_of
from taskflow.engine.declarations import Declarations
from taskflow.engine.new_run import Planner
from taskflow.engine.schedules.plan import next_tick, run_of_tick
from taskflow.errors import StoreFullError, TaskflowError
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.schedules.calls import (
    Fired,
    NextTick,
    due_schedules,
    fire_schedule,
    move_schedule,
    postpone_schedules,
)
from taskflow.store.operations.schedules.records import Read, StoredSchedule
from taskflow.store.sync_store import Store
from taskflow.texts import message_of

log = logging.getLogger("taskflow.schedules")
AT_ONCE: Final = 250
"""Ticks in one round trip, each a script of its own. Each round trip costs a busy node a wait for the interpreter."""
AT_MOST_SECONDS: Final = 0.2
"""Time for which one pass fires: less than a node's turn, so that two nodes seldom do the same."""
TRIED_AGAIN: Final = timedelta(seconds=60)
"""The time after which a tick is tried again that could not be fired."""
FULL_PAUSE: Final = timedelta(seconds=1)
"""The time after which a tick is tried again that a full store did not take."""
_REASON_CHARS: Final = 500


class Firing:
    """Reads what is due by the store's clock, computes the ticks that follow, and has the store make the runs."""

    def __init__(self, planner: Planner, store: Store, declarations: Declarations) -> None:
        self._planner, self._store, self._declarations = planner, store, declarations

    def fire(self, shard: int) -> None:
        """Fire what is due. A schedule that cannot be fired is marked, and stops no other.

        Raises:
            StoreUnavailableError: The store did not answer. What is left fires later.
        """
        until = time.monotonic() + AT_MOST_SECONDS
        while time.monotonic() < until:
            due: Read = self._store.run(due_schedules(AT_ONCE), shard=shard)
            if due.unreadable:
                log.error("schedules.unreadable: %s: was a newer version up?", ", ".join(due.unreadable))
                self._store.run(postpone_schedules(due.unreadable, TRIED_AGAIN), shard=shard)
            if due.found:
                self._fire_each(due, shard)
            elif not due.unreadable:
                return

    def _fire_each(self, due: Read, shard: int) -> None:
        planned = [(record, self._planned(record, due.now, shard)) for record in due.found]
        self._declare([record.schedule.task_id for record, _ in planned], shard)
        try:
            results = self._store.run_many([(operation, shard) for _, operation in planned])
        except StoreFullError as full:
            log.warning("schedules.waiting: %s", full)
            self._store.run_many([(_postponed(record, due.now), shard) for record in due.found])
            return
        problems: list[tuple[Operation[Any], int]] = []
        for (record, _), result in zip(planned, results, strict=True):
            if problem := _problem_of(record, result):
                problems.append((_marked(record, due.now, problem), shard))
        self._store.run_many(problems)

    def _planned(self, record: StoredSchedule, now: datetime, shard: int) -> Operation[Any]:
        schedule = record.schedule
        try:
            assert schedule.next_run is not None, "it is due, and has no next tick"
            rule = schedule.rule
            turn = turn_of(rule, schedule.id, schedule.next_run, now, schedule.catch_up, held=record.is_held)
            following = next_tick(rule, schedule.id, turn.following)
            if turn.tick is None:
                log.info("schedule.missed: %s: ticks from %s on", schedule.id, schedule.next_run.isoformat())
                return move_schedule(record, following)
            return fire_schedule(record, turn.tick, following, run_of_tick(self._planner, schedule, turn.tick, shard))
        except Exception as error:  # noqa: BLE001 - a task's payload is user code, and a zone may be unknown here
            reason = f"{type(error).__name__}: {message_of(error, _REASON_CHARS)}"
            log.error("schedule.broken: %s of task %s: %s", schedule.id, schedule.task_id, reason)
            return _marked(record, now, reason)

    def _declare(self, task_ids: list[str], shard: int) -> None:
        missing = self._store.missing_templates
        for task_id in dict.fromkeys(task_ids):
            declaration = self._declarations.needed(task_id, shard, missing)
            if declaration:
                self._store.run(declaration, shard=shard)
                self._declarations.made(task_id, shard, missing)


def _postponed(record: StoredSchedule, now: datetime) -> Operation[bool]:
    """Return the move of a schedule whose tick may not have been fired. One that has was moved already."""
    return move_schedule(record, NextTick(record.schedule.next_run, now + FULL_PAUSE, record.zones))


def _marked(record: StoredSchedule, now: datetime, problem: str) -> Operation[bool]:
    following = NextTick(record.schedule.next_run, now + TRIED_AGAIN, data_version())
    return move_schedule(record, following, problem)


def _problem_of(record: StoredSchedule, result: object) -> str:
    """Return why a tick could not be fired, "" if it was, or if it need not be."""
    if isinstance(result, TaskflowError):
        log.error("schedule.failed: %s: %s", record.schedule.id, result)
        return message_of(result, _REASON_CHARS)
    if isinstance(result, tuple) and result[0] is Fired.UNREGISTERED:
        log.error("schedule.unregistered: %s: no worker has task %s", record.schedule.id, record.schedule.task_id)
        return f"No worker has registered task {record.schedule.task_id!r}. Start one that declares it."
    return ""
