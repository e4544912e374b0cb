"""The five fields of a cron expression: numbers, names, ranges, steps, and the marks of the two day fields."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from taskflow.errors import CronError

MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NUMBER: Final = re.compile(r"[0-9]{1,4}", re.ASCII)
_NEAREST: Final = re.compile(r"([0-9]{1,2})W", re.ASCII)
_LAST_WEEKDAY: Final = re.compile(r"([0-7]|[A-Z]{3})L|L([0-7]|[A-Z]{3})", re.ASCII)
_NTH_WEEKDAY: Final = re.compile(r"([0-9]+|[A-Z]{3})#([0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five fields: its bounds, and the names that stand for numbers."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict[str, int])

    def numbers(self, text: str, expression: str) -> frozenset[int]:
        """Return the numbers that the items of a field stand for.

        Raises:
            CronError: An item is not possible.
        """
        return frozenset[int]().union(*(self._item(item, expression) for item in text.split(",")))

    def _item(self, item: str, expression: str) -> Sequence[int]:
        body, slash, step_text = item.partition("/")
        step = self._step(step_text, item, expression) if slash else 1
        if body == "*":
            return range(self.low, self.low + self._size, step)
        if "-" in body:
            first_text, _, last_text = body.partition("-")
            first, last = self._number(first_text, item, expression), self._number(last_text, item, expression)
        else:
            first = self._number(body, item, expression)
            last = max(first, self.low + self._size - 1) if slash else first
        if first <= last:
            return range(first, last + 1, step)
        return self._wrapped(first, last, step)

    def _wrapped(self, first: int, last: int, step: int) -> Sequence[int]:
        """Return a range that goes on from the field's beginning, as in FRI-MON and 22-2."""
        size = self._size
        numbers = range(first, last + size + 1, step)
        return [number if number < self.low + size else number - size for number in numbers]

    @property
    def _size(self) -> int:
        return 7 if self.names is WEEKDAY_NUMBERS else self.high - self.low + 1

    def _step(self, text: str, item: str, expression: str) -> int:
        if _NUMBER.fullmatch(text) and int(text) > 0:
            return int(text)
        raise CronError(expression, f"The step of {item!r} in the {self.name} field is not a number from 1.", "*/15")

    def _number(self, text: str, item: str, expression: str) -> int:
        if text.upper() in self.names:
            return self.names[text.upper()]
        if _NUMBER.fullmatch(text) and self.low <= int(text) <= self.high:
            return int(text)
        names = f", or {', '.join(self.names)}" if self.names else ""
        what = f"The {self.name} field has {item!r}" if item else f"The {self.name} field has an empty item"
        raise CronError(expression, f"{what}: its numbers are {self.low} to {self.high}{names}.", _advice(item))


def _advice(item: str) -> str:
    if item.upper().startswith("H"):
        return 'to spread schedules, leave H out and set jitter="10m"'
    if item.upper().startswith("R"):
        return 'for a random minute, leave R out and set jitter="1h"'
    if item == "?":
        return "? stands in a day field only; * means each"
    return ""


MONTH_NUMBERS: Final = {name: number for number, name in enumerate(MONTHS, 1)}
WEEKDAY_NUMBERS: Final = {name: number for number, name in enumerate(WEEKDAYS)}
MINUTE: Final = Field("minute", 0, 59)
HOUR: Final = Field("hour", 0, 23)
DAY: Final = Field("day of month", 1, 31)
MONTH: Final = Field("month", 1, 12, MONTH_NUMBERS)
WEEKDAY: Final = Field("weekday", 0, 7, WEEKDAY_NUMBERS)


@dataclass(frozen=True, slots=True)
class DaysOfMonth:
    """The day of month field: numbers, ``L`` (the last day), ``LW`` (the last from Monday to Friday), ``15W`` (the one
    from Monday to Friday that is nearest to the 15th, within its month)."""

    numbers: frozenset[int] = frozenset()
    has_last: bool = False
    has_last_workday: bool = False
    nearest: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Weekdays:
    """The weekday field, Sunday being 0: numbers, ``5L`` (the last Friday of a month), ``MON#2`` (the second
    Monday)."""

    numbers: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()


def is_open(text: str) -> bool:
    """Whether a day field restricts nothing."""
    return text in {"*", "?"}


def parse_days(text: str, expression: str) -> DaysOfMonth:
    """Return the day of month field.

    Raises:
        CronError: An item is not possible.
    """
    plain: list[str] = []
    nearest: set[int] = set()
    marks: set[str] = set()
    for item in ("*" if text == "?" else text).split(","):
        upper = item.upper()
        near = _NEAREST.fullmatch(upper)
        if upper in {"L", "LW"}:
            marks.add(upper)
        elif near and 1 <= int(near[1]) <= 31:
            nearest.add(int(near[1]))
        elif upper.startswith("L-"):
            reason = f"{item!r} in the day of month field is not supported."
            raise CronError(expression, reason, "L for the last day, LW for the last from Monday to Friday")
        else:
            plain.append(item)
    numbers = DAY.numbers(",".join(plain), expression) if plain else frozenset[int]()
    return DaysOfMonth(numbers, "L" in marks, "LW" in marks, frozenset(nearest))


def parse_weekdays(text: str, expression: str) -> Weekdays:
    """Return the weekday field.

    Raises:
        CronError: An item is not possible.
    """
    plain: list[str] = []
    last: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for item in ("*" if text == "?" else text).split(","):
        upper = item.upper()
        if upper == "L":
            raise CronError(expression, "L in the weekday field does not name a weekday.", "5L for the last Friday")
        if found := _LAST_WEEKDAY.fullmatch(upper):
            last.add(_weekday(found[1] or found[2], expression))
        elif found := _NTH_WEEKDAY.fullmatch(upper):
            nth.add((_weekday(found[1], expression), _occurrence(found[2], item, expression)))
        else:
            plain.append(item)
    numbers = WEEKDAY.numbers(",".join(plain), expression) if plain else frozenset[int]()
    return Weekdays(frozenset(number % 7 for number in numbers), frozenset(last), frozenset(nth))


def _weekday(text: str, expression: str) -> int:
    (number,) = WEEKDAY.numbers(text, expression)
    return number % 7


def _occurrence(text: str, item: str, expression: str) -> int:
    if len(text) == 1 and 1 <= int(text) <= 5:
        return int(text)
    raise CronError(expression, f"{item!r} in the weekday field: a month has the weekday 1 to 5 times.", "MON#1")
