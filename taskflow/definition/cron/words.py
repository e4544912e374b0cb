"""A cron expression or a period in words, for lists and for the note about two restricted day fields."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from taskflow.definition.cron.expression import Cron
from taskflow.definition.cron.fields import MONTHS, WEEKDAYS

_MONTH_NAMES: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_WEEKDAY_NAMES: Final = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
_UNITS: Final = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": timedelta(minutes=1)}
_MOST_TIMES: Final = 4
_ORDINALS: Final = ("", "first", "second", "third", "fourth", "fifth")
assert len(_MONTH_NAMES) == len(MONTHS)
assert len(_WEEKDAY_NAMES) == len(WEEKDAYS)


def describe(cron: Cron) -> str:
    """Return a sentence: "At 09:00, Monday to Friday"."""
    parts = [_time(cron), *_days(cron)]
    if len(cron.months) < 12:
        parts.append(f"in {_listed(_MONTH_NAMES[month - 1] for month in sorted(cron.months))}")
    return ", ".join(parts)


def describe_period(period: timedelta) -> str:
    """Return a sentence: "Every 6 hours", "Every day" or "Every 90 s"."""
    for name, unit in _UNITS.items():
        if period % unit == timedelta(0):
            count = period // unit
            return f"Every {name}" if count == 1 else f"Every {count:,} {name}s"
    return f"Every {period.total_seconds():g} s"


def _time(cron: Cron) -> str:
    if len(cron.hours) * len(cron.minutes) <= _MOST_TIMES:
        return f"At {_listed(f'{hour:02d}:{minute:02d}' for hour in cron.hours for minute in cron.minutes)}"
    if step := _step(cron.minutes, 60):
        if len(cron.hours) == 24:
            return f"Every {step} minutes"
    elif tuple(cron.minutes) == (0,) and len(cron.hours) == 24:
        return "Every hour"
    elif tuple(cron.minutes) == (0,) and (step := _step(cron.hours, 24)):
        return f"Every {step} hours"
    minutes = "Every minute" if len(cron.minutes) == 60 else f"At minute {_ranges(cron.minutes)}"
    return f"{minutes} of every hour" if len(cron.hours) == 24 else f"{minutes} of hour {_ranges(cron.hours)}"


def _step(numbers: Iterable[int], total: int) -> int | None:
    """Return the distance of numbers that divide the whole evenly from 0 on; None for others, for one, and for all."""
    given = tuple(sorted(numbers))
    step = total // len(given)
    return step if 1 < len(given) < total and given == tuple(range(0, total, step)) and total % step == 0 else None


def _days(cron: Cron) -> list[str]:
    by_day = _of_month(cron) if cron.by_day else []
    by_weekday = _of_week(cron)
    if cron.is_either:
        return [f"on {_listed(by_day)}, and also on {_listed(by_weekday)} (either is enough)"]
    if by_day:
        return [f"on {_listed(by_day)}"]
    return [_listed(by_weekday)] if by_weekday else []


def _of_month(cron: Cron) -> list[str]:
    days = cron.days
    found = [f"day {_ranges(sorted(days.numbers))} of the month"] if days.numbers else []
    found += [f"the day from Monday to Friday nearest to day {day}" for day in sorted(days.nearest)]
    found += ["the last day of the month"] if days.has_last else []
    return found + (["the last day from Monday to Friday of the month"] if days.has_last_workday else [])


def _of_week(cron: Cron) -> list[str]:
    weekdays = cron.weekdays
    found = [_weekday_names(weekdays.numbers)] if 0 < len(weekdays.numbers) < 7 else []
    found += [f"the last {_WEEKDAY_NAMES[weekday]} of the month" for weekday in sorted(weekdays.last)]
    nth = sorted((number, weekday) for weekday, number in weekdays.nth)
    return found + [f"the {_ORDINALS[number]} {_WEEKDAY_NAMES[weekday]} of the month" for number, weekday in nth]


def _weekday_names(numbers: frozenset[int]) -> str:
    ordered = sorted((number or 7) for number in numbers)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{_WEEKDAY_NAMES[ordered[0]]} to {_WEEKDAY_NAMES[ordered[-1] % 7]}"
    return _listed(_WEEKDAY_NAMES[number % 7] for number in ordered)


def _ranges(numbers: Iterable[int]) -> str:
    """Return numbers with those in a row as a range: "1 to 5, 9"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
