"""Schedules' ids, their next ticks, and the runs that ticks make. All checks happen here, before any write."""

import hashlib
import logging
import secrets
from datetime import UTC, datetime
from typing import Final

from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.cron.words import describe
from taskflow.definition.cron.zones import data_version
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.definition.scheduling.rule import Rule
from taskflow.definition.scheduling.schedule import UPCOMING, Schedule
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.new_run import Planner
from taskflow.errors import PayloadError, ScheduleError, ScheduleNotFoundError
from taskflow.store.operations.making import NewRun
from taskflow.store.operations.schedules.calls import NextTick
from taskflow.store.wire import derived_run_id

log = logging.getLogger("taskflow.schedules")
_OPTIONS: Final = TriggerOptions.checked()
_EXAMPLE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_DIGITS: Final = 30


def new_schedule_id(shard: int, key: str | None) -> str:
    """Return the id of a schedule: the one that follows from its deduplication key, or a new one."""
    return _id(shard, f"key:{key}") if key is not None else f"sched_{shard:02x}{secrets.token_hex(_DIGITS // 2)}"


def declared_schedule_id(shard: int, task_id: str) -> str:
    """Return the id of the schedule that a task declares."""
    return _id(shard, f"task:{task_id}")


def _id(shard: int, seed: str) -> str:
    return f"sched_{shard:02x}{hashlib.sha256(seed.encode()).hexdigest()[:_DIGITS]}"


def shard_of_schedule(schedule_id: object, shards: int) -> int:
    """Return the shard that a schedule's id names.

    Raises:
        ScheduleNotFoundError: No schedule can have that id.
    """
    if isinstance(schedule_id, str) and schedule_id.startswith("sched_") and schedule_id.isascii():
        digits = schedule_id.removeprefix("sched_")
        if len(digits) == 2 + _DIGITS and not set(digits) - set("0123456789abcdef") and int(digits[:2], 16) < shards:
            return int(digits[:2], 16)
    raise ScheduleNotFoundError(str(schedule_id))


def next_tick(rule: Rule, schedule_id: str, tick: datetime | None) -> NextTick:
    """Return a tick as the store keeps it, with the instant at which it is fired."""
    due = None if tick is None else rule.fired_at(tick, schedule_id)
    return NextTick(tick, due, data_version() if rule.cron else "")


def run_of_tick(planner: Planner, schedule: Schedule, tick: datetime, shard: int, run_id: str | None = None) -> NewRun:
    """Return the run of a tick. Its id follows from schedule and tick, so that a tick has one run at most.

    Raises:
        PayloadError: The task takes another payload.
    """
    definition = planner.known.task(schedule.task_id)
    payload = payload_of(schedule, tick) if schedule.payload is None else schedule.payload
    if definition.payload is None and schedule.payload is None:
        payload = None
    name = f"{schedule.id} {tick.isoformat()}"
    new = planner.plan(definition, payload, _OPTIONS, run_id or derived_run_id(shard, name))
    new.schedule_id = schedule.id
    new.origin = new.origin or f"tick {_text(tick)}"
    return new


def payload_of(schedule: Schedule, tick: datetime) -> dict[str, object]:
    """Return the payload of a tick, see ``ScheduledPayload``, as JSON."""
    return {
        "timestamp": _text(tick),
        "schedule_id": schedule.id,
        "timezone": schedule.timezone,
        "last_timestamp": None if schedule.last_run is None else _text(schedule.last_run),
        "external_id": schedule.external_id,
        "upcoming": [_text(each) for each in schedule.rule.upcoming(tick, UPCOMING)],
        "type": "DECLARATIVE" if schedule.is_declared else "IMPERATIVE",
    }


def check_payload(definition: TaskDefinition, given: object = None) -> None:
    """Check that a task takes the payload of its schedule.

    Args:
        given: The schedule's own; None: that of all schedules.

    Raises:
        ScheduleError: It takes another one.
    """
    if given is not None:
        _check_given(definition, given)
        return
    if definition.payload is None:
        return
    if definition.parameters is not None:
        remedy = "Give the schedule a payload with its arguments: payload={...}."
        what = f"Task {definition.id!r} cannot be scheduled, because it takes {definition.parameters.signature}"
        raise ScheduleError(what, option="task", value=definition.id, remedy=remedy)
    example: dict[str, object] = {"timestamp": _text(_EXAMPLE), "schedule_id": "sched_1234", "timezone": "UTC"}
    example |= {"last_timestamp": None, "external_id": None, "upcoming": [_text(_EXAMPLE)], "type": "IMPERATIVE"}
    try:
        definition.payload.dump(example)
    except PayloadError as refused:
        remedy = "Give the schedule a payload, annotate the task's as taskflow.ScheduledPayload, or let it take none."
        what = f"Task {definition.id!r} cannot be scheduled, because it takes another payload: {refused.reason}"
        raise ScheduleError(what.rstrip("."), option="task", value=definition.id, remedy=remedy) from None


def _check_given(definition: TaskDefinition, given: object) -> None:
    reason = "it takes none"
    if definition.payload is not None:
        try:
            definition.payload.dump(given)
        except PayloadError as refused:
            reason = refused.reason.rstrip(".")
        else:
            return
    remedy = "Give what the task takes; of a task with several parameters a dict of their names."
    what = f"The payload does not fit task {definition.id!r}: {reason}"
    raise ScheduleError(what, option="payload", value=given, remedy=remedy) from None


def warn_of_two_days(schedule_id: str, options: ScheduleOptions) -> None:
    """Say in the log what an expression means that restricts both day fields: readers of cron expect both to fit."""
    if options.cron is not None and (cron := parse_cron(options.cron)).is_either:
        log.warning("schedule.either: %s (%s): %s", schedule_id, options.cron, describe(cron))


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
