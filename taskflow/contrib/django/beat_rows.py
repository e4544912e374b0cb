"""Rows of django-celery-beat as schedules and delayed runs. Rows are read by their attributes, not imported."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from taskflow.definition.call_arguments import payload_of
from taskflow.definition.registry import declared
from taskflow.definition.scheduling.beat import cron_of
from taskflow.definition.scheduling.options import ScheduleKeywords, ScheduleOptions
from taskflow.definition.scheduling.rule import Rule
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.schedules.plan import check_payload
from taskflow.errors import PayloadError, ScheduleError, TaskNotFoundError

LONG_AGO: Final = timedelta(days=1)
"""A single run that was due longer ago is not made up for."""
_LEFT_OUT: Final = {
    "queue": "its queue {value!r} is left out: the queue of the task counts",
    "exchange": "its exchange {value!r} is left out: the queue of the task counts",
    "routing_key": "its routing key {value!r} is left out: the queue of the task counts",
    "priority": "its priority {value} is left out",
    "expire_seconds": "that it expires after {value} s is left out: give the task a ttl",
}


class RefusedRowError(Exception):
    """A row can't be taken over. The text is the reason."""


class LeftRowError(Exception):
    """A row needs nothing. The text is the reason."""


@dataclass(frozen=True, slots=True)
class AdoptedRow:
    """The schedule or the single run that a row becomes.

    Attributes:
        payload: Of the runs; None: that of all schedules.
        options: Of a schedule.
        due: Of a single run; None for a schedule.
        notes: What is left out of it.
    """

    name: str
    task_id: str
    payload: object = None
    options: ScheduleKeywords | None = None
    due: datetime | None = None
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key by which the schedule or run of the row is known: a second adoption makes no second one."""
        return f"beat:{self.name}"

    @property
    def rule(self) -> str:
        """The rule in words."""
        if self.options is None:
            return f"once at {self.due:%Y-%m-%d %H:%M:%S %Z}" if self.due else "-"
        every, cron = self.options.get("every"), self.options.get("cron")
        if isinstance(every, timedelta):
            return f"every {every.total_seconds():g} s"
        return f"{cron} {self.options.get('timezone')}"


def adopt_row(row: Any, now: datetime) -> AdoptedRow:
    """Return what a row becomes.

    Raises:
        RefusedRowError: It can't be taken over.
        LeftRowError: There is nothing to take over.
    """
    if row.task == "celery.backend_cleanup":
        raise LeftRowError("It clears Celery's results, which taskflow does by itself.")
    if row.expires is not None and row.expires <= now:
        raise LeftRowError(f"It has expired, at {row.expires:%Y-%m-%d %H:%M %Z}.")
    if row.expires is not None:
        raise RefusedRowError(f"It ends at {row.expires:%Y-%m-%d %H:%M %Z}, and a schedule has no end.")
    if row.solar_id is not None:
        raise RefusedRowError("It follows the sun. Compute the instants yourself, or leave it to celery beat.")
    definition = _definition(row.task)
    payload = _payload(definition, row)
    notes = tuple(text.format(value=value) for name, text in _LEFT_OUT.items() if (value := getattr(row, name)))
    if _json(row, "headers", {}):
        notes += ("its headers are left out",)
    if row.clocked_id is not None or row.one_off:
        return AdoptedRow(row.name, row.task, payload, due=_single(row, now), notes=notes)
    options = _options(row)
    options |= {"payload": payload, "deduplication_key": f"beat:{row.name}", "active": bool(row.enabled)}
    _checked(options)
    return AdoptedRow(row.name, row.task, payload, options, notes=notes)


def _definition(task_id: str) -> TaskDefinition:
    try:
        return declared.get(task_id)
    except TaskNotFoundError as unknown:
        raise RefusedRowError(f"No task of this site has that id. {unknown}") from None


def _payload(definition: TaskDefinition, row: Any) -> object:
    """Return the payload that the row's arguments make; None for none, or for a task that takes a ScheduledPayload."""
    args, kwargs = _json(row, "args", []), _json(row, "kwargs", {})
    try:
        if not args and not kwargs and definition.parameters is None:
            check_payload(definition)
            return None
        payload = payload_of(definition, args, kwargs)
        check_payload(definition, payload)
    except (PayloadError, ScheduleError) as refused:
        raise RefusedRowError(f"Its arguments do not fit the task. {refused}") from None
    return payload


def _json(row: Any, name: str, default: Any) -> Any:
    text = getattr(row, name) or json.dumps(default)
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, type(default)):
        raise RefusedRowError(f"Its {name} are no JSON {'array' if isinstance(default, list) else 'object'}.")
    return value


def _options(row: Any) -> ScheduleKeywords:
    """Return rule and start. Like beat, the schedule makes up for the last tick that was missed, and for one only."""
    start: datetime | None = row.last_run_at or row.date_changed
    options: ScheduleKeywords = {"catch_up": "last", "start": start if row.enabled else None}
    if row.interval_id is not None:
        options["every"] = timedelta(**{row.interval.period: row.interval.every})
        before = timedelta(**{row.interval.period: row.interval.every})
    elif row.crontab_id is not None:
        cron = row.crontab
        parts = [cron.minute, cron.hour, cron.day_of_month, cron.month_of_year, cron.day_of_week]
        try:
            options["cron"] = cron_of([str(part) for part in parts])
        except ScheduleError as refused:
            raise RefusedRowError(str(refused)) from None
        options["timezone"] = str(cron.timezone)
        before = timedelta(milliseconds=1)
    else:
        raise RefusedRowError("It has no interval, crontab or clocked time.")
    if row.enabled and row.start_time is not None and row.last_run_at is None:
        options["start"] = row.start_time - before  # so that a tick at that instant is the first one
    return options


def _checked(options: ScheduleKeywords) -> ScheduleOptions:
    try:
        return ScheduleOptions.checked(**options)
    except ScheduleError as refused:
        raise RefusedRowError(str(refused)) from None


def _single(row: Any, now: datetime) -> datetime:
    """Return the instant of a row that runs once."""
    if not row.enabled:
        raise LeftRowError("It runs once, and is disabled.")
    if row.total_run_count:
        raise LeftRowError("It runs once, and has run.")
    if row.clocked_id is not None:
        due: datetime | None = row.clocked.clocked_time
    else:
        options = _options(row)
        checked = _checked(options)
        start = checked.start or now
        due = Rule(checked.cron, checked.every, checked.timezone, start if checked.every else None).after(start)
    if due is None:
        raise RefusedRowError("Its instant never comes.")
    if due < now - LONG_AGO:
        raise RefusedRowError(f"It runs once and was due at {due:%Y-%m-%d %H:%M %Z}, long ago. Trigger it yourself.")
    return due
