"""A cron expression: parsed once, it gives the first wall time from an instant on that it names."""

from bisect import bisect_left
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from taskflow.definition.cron import fields
from taskflow.errors import CronError

LONGEST: Final = 256
HORIZON: Final = timedelta(days=50 * 366)
"""The longest time between two wall times of an expression is 40 years: a Monday, 29 February, across 2100."""
_LAST_YEAR: Final = 9998
_MINUTE: Final = timedelta(minutes=1)
_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression.

    Attributes:
        is_fixed: Neither minute nor hour begins with ``*``. Such an expression names times of the day: a time that a
            clock change skips comes at once after it, and one that it repeats comes once.
        is_either: Both day fields are restricted: a day that fits one of them is enough.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    days: fields.DaysOfMonth
    weekdays: fields.Weekdays
    is_fixed: bool
    is_either: bool
    by_day: bool
    """Whether the day of month field is restricted."""

    def first_wall_time(self, start: datetime, end: datetime) -> datetime | None:
        """Return the first wall time from ``start`` on and before ``end``, both naive, that the expression names."""
        if start.second or start.microsecond:
            start = start.replace(second=0, microsecond=0) + _MINUTE
        time = self._time_from(start.hour, start.minute)
        if time is None or not self.has_day(start.date()):
            day = self._day_from(start.date() + timedelta(days=1), end.date())
            time = (self.hours[0], self.minutes[0])
        else:
            day = start.date()
        if day is None:
            return None
        found = datetime(day.year, day.month, day.day, *time)
        return found if found < end else None

    def has_day(self, day: date) -> bool:
        """Whether the expression names a day."""
        return day.month in self.months and day.day in self._days_of(day.year, day.month)

    def _time_from(self, hour: int, minute: int) -> tuple[int, int] | None:
        at = bisect_left(self.hours, hour)
        if at < len(self.hours) and self.hours[at] == hour:
            later = bisect_left(self.minutes, minute)
            if later < len(self.minutes):
                return hour, self.minutes[later]
            at += 1
        return (self.hours[at], self.minutes[0]) if at < len(self.hours) else None

    def _day_from(self, first: date, last: date) -> date | None:
        year, month, from_day = first.year, first.month, first.day
        while (year, month) <= (last.year, last.month):
            if month in self.months:
                days = [day for day in self._days_of(year, month) if day >= from_day]
                if days:
                    return date(year, month, days[0])
            year, month, from_day = (year, month + 1, 1) if month < 12 else (year + 1, 1, 1)
        return None

    def _days_of(self, year: int, month: int) -> tuple[int, ...]:
        first_weekday, length = monthrange(year, month)
        return _days_of_month(self.days, self.weekdays, self.is_either, self.by_day, (first_weekday + 1) % 7, length)


@lru_cache(maxsize=4096)
def parse_cron(text: str) -> Cron:
    """Return an expression of five fields, or of a nickname such as ``@daily``.

    Raises:
        CronError: It is wrong, or names no time that ever comes.
    """
    cron = _parse(text)
    if cron.first_wall_time(datetime(2000, 1, 1), datetime(2051, 1, 1)) is None:
        reason = "No day of any year fits its day of month, month and weekday."
        raise CronError(text, reason, "0 0 L * * for the last day of each month")
    return cron


@lru_cache(maxsize=4096)
def _days_of_month(
    days: fields.DaysOfMonth, weekdays: fields.Weekdays, is_either: bool, by_day: bool, first: int, length: int
) -> tuple[int, ...]:
    """Return the days of a month that fit. ``first`` is the weekday of its first day, Sunday being 0."""
    of_month = _by_day(days, first, length) if by_day or is_either else set[int]()
    of_week = _by_weekday(weekdays, first, length) if is_either or not by_day else set[int]()
    return tuple(sorted(of_month | of_week))


def _by_day(days: fields.DaysOfMonth, first: int, length: int) -> set[int]:
    found = {day for day in days.numbers if day <= length}
    if days.has_last:
        found.add(length)
    if days.has_last_workday:
        found.add(_nearest_workday(length, first, length))
    return found | {_nearest_workday(day, first, length) for day in days.nearest if day <= length}


def _by_weekday(weekdays: fields.Weekdays, first: int, length: int) -> set[int]:
    found = {day for day in range(1, length + 1) if (first + day - 1) % 7 in weekdays.numbers}
    for day in range(1, length + 1):
        weekday = (first + day - 1) % 7
        if (weekday in weekdays.last and day + 7 > length) or (weekday, (day + 6) // 7) in weekdays.nth:
            found.add(day)
    return found


def _nearest_workday(day: int, first: int, length: int) -> int:
    weekday = (first + day - 1) % 7
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 0:
        return day + 1 if day < length else day - 2
    return day


def _parse(text: str) -> Cron:
    minute, hour, day, month, weekday = _split(text)
    by_day, by_weekday = not fields.is_open(day), not fields.is_open(weekday)
    return Cron(
        text=text,
        minutes=tuple(sorted(fields.MINUTE.numbers(minute, text))),
        hours=tuple(sorted(fields.HOUR.numbers(hour, text))),
        months=fields.MONTH.numbers(month, text),
        days=fields.parse_days(day, text),
        weekdays=fields.parse_weekdays(weekday, text),
        is_fixed=not (minute.startswith("*") or hour.startswith("*")),
        is_either=by_day and by_weekday,
        by_day=by_day,
    )


def _split(text: object) -> list[str]:
    if not isinstance(text, str):
        raise CronError(text, "A cron expression is text.", "0 3 * * *")
    if len(text) > LONGEST:
        raise CronError(text, f"It has {len(text):,} characters, and {LONGEST} are the most.")
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        raise CronError(text, "It has characters that are not ASCII.", "write it with ASCII digits, letters and spaces")
    name = text.strip(" \t").lower()
    if name == "@reboot":
        raise CronError(text, "@reboot names no instant.", "trigger the task where your program starts")
    if name.startswith("@") and name not in _NICKNAMES:
        raise CronError(text, f"It is not one of {', '.join(_NICKNAMES)}.")
    parts = _NICKNAMES.get(name, text).replace("\t", " ").split(" ")
    parts = [part for part in parts if part]
    if len(parts) in {6, 7}:
        reason = f"It has {len(parts)} fields: neither seconds nor years are fields."
        raise CronError(text, reason, 'every="10s" instead of cron= for seconds')
    if len(parts) != 5:
        reason = f"It has {len(parts)} fields, and needs five: minute, hour, day of month, month, weekday."
        raise CronError(text, reason, "0 3 * * * for 03:00 each day")
    return parts


def last_instant_before(cron_end: datetime) -> datetime:
    """Return the end of a search from a naive instant on, within the years that a ``datetime`` can have."""
    if cron_end.year > _LAST_YEAR - 51:
        return datetime(_LAST_YEAR, 1, 1)
    return cron_end + HORIZON
