"""Entries of Celery's beat as schedules of ours. Celery's objects are read by their attributes, not imported."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, cast

from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.cron.fields import WEEKDAYS, is_open
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.errors import ScheduleError

_FIELDS: Final = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_LONG_WEEKDAY: Final = re.compile(r"[A-Za-z]{4,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BeatEntry:
    """An entry of a beat schedule.

    Attributes:
        refused: Why it can be no schedule, "" if it can.
        args: The positional arguments of its calls. With ``kwargs`` they make the payload, once the task is known.
    """

    name: str
    task_id: str
    options: ScheduleOptions | None = None
    refused: str = ""
    notes: tuple[str, ...] = field(default=())
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])


def entries_of(beat_schedule: Mapping[str, Any], timezone: str) -> list[BeatEntry]:
    """Return the entries of a ``beat_schedule``.

    Args:
        timezone: That of its crontabs, which is the Celery app's.
    """
    return [_entry(str(name), given, timezone) for name, given in beat_schedule.items()]


def _entry(name: str, given: Mapping[str, Any], timezone: str) -> BeatEntry:
    task_id, schedule = str(given.get("task") or name), given.get("schedule")
    read = entry(name, task_id, schedule, timezone, options=given.get("options") or {})
    return replace(read, args=tuple(given.get("args") or ()), kwargs=dict(given.get("kwargs") or {}))


def entry(
    name: str,
    task_id: str,
    schedule: Any,
    timezone: str,
    *,
    options: Iterable[str] = (),
    active: bool | None = None,
) -> BeatEntry:
    """Return one entry.

    Args:
        schedule: A number of seconds, a timedelta, or an object of Celery: ``crontab``, ``schedule``, ``solar``.
        options: Names of the options of its messages, which have no meaning for a schedule.
    """
    try:
        rule = _rule(schedule, timezone)
        checked = ScheduleOptions.checked(**rule, deduplication_key=f"beat:{name}", active=active)
    except ScheduleError as refused:
        return BeatEntry(name, task_id, refused=str(refused))
    notes = tuple(f"its option {option!r} is left out" for option in options)
    return BeatEntry(name, task_id, checked, notes=notes)


def _rule(schedule: object, timezone: str) -> Any:
    if isinstance(schedule, timedelta | int | float) and not isinstance(schedule, bool):
        return {"every": schedule}
    kind = type(schedule).__name__
    if kind == "crontab" or all(hasattr(schedule, f"_orig_{name}") for name in _FIELDS):
        parts = [_text(getattr(schedule, f"_orig_{name}")) for name in _FIELDS]
        return {"cron": cron_of(parts), "timezone": timezone}
    period: object = getattr(schedule, "run_every", None)
    if isinstance(period, timedelta) and kind == "schedule":
        return {"every": period}
    what = f"A schedule of type {kind} names no times of a calendar or a period"
    raise ScheduleError(what, remedy="Leave it to celery beat.")


def cron_of(parts: list[str]) -> str:
    """Return the cron expression of Celery's five fields.

    Raises:
        ScheduleError: Both day fields are restricted, or a field has no meaning here.
    """
    minute, hour, day, month, weekday = (part.replace(" ", "") for part in parts)
    weekday = _LONG_WEEKDAY.sub(_short, weekday)
    text = f"{minute} {hour} {day} {month} {weekday}"
    parse_cron(text)
    if not is_open(day) and not is_open(weekday):
        what = f"It restricts both day fields ({text}): Celery wants days that fit both, and cron days that fit one"
        raise ScheduleError(what, remedy="Restrict one, and return early in the task on other days.")
    return text


def _short(name: re.Match[str]) -> str:
    short = name[0][:3].upper()
    return short if short in WEEKDAYS else name[0]


def _text(given: object) -> str:
    """Return a field as text: Celery takes text, a number, or several numbers."""
    if isinstance(given, str | int):
        return str(given)
    return ",".join(str(number) for number in sorted(cast("Iterable[int]", given)))
