"""Durations as users write them: ``timedelta``, seconds, or ``"1h30m"``. The only parser of all three."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from taskflow.errors import DefinitionError

Duration: TypeAlias = timedelta | float | int | str

LONGEST: Final = timedelta(days=36_500)
"""A hundred years: instants computed from a duration still fit a ``datetime``."""

_UNITS: Final = {"w": "weeks", "d": "days", "hr": "hours", "h": "hours", "m": "minutes", "s": "seconds"}
_GRAMMAR: Final = re.compile(r"(?:[0-9]+(?:w|d|hr|h|m|s))+")
_PART: Final = re.compile(r"([0-9]+)(w|d|hr|h|m|s)")
_LONGEST_TEXT: Final = 100
_FORMS: Final = 'Use a timedelta, a number of seconds, or text such as "1h30m" (units w, d, h, m, s).'


def parse_duration(value: Duration, *, option: str) -> timedelta:
    """Return a duration as ``timedelta``.

    Text follows Trigger.dev: whole numbers with the units w, d, hr, h, m and s in any order, at most 100 characters. A
    unit given twice is refused (there, all but the first are ignored).

    Raises:
        DefinitionError: Not a duration, negative, or longer than 100 years.
    """
    duration = _read(value, option)
    if duration < timedelta(0):
        raise DefinitionError("A duration is never negative", option=option, value=value, remedy=_FORMS)
    if duration > LONGEST:
        remedy = "The longest duration is 100 years; numbers are seconds, not milliseconds."
        raise DefinitionError("That duration is too long", option=option, value=value, remedy=remedy)
    return duration


def parse_timeout(timeout: Duration | None) -> timedelta | None:
    """Return a timeout, None to wait for ever.

    Raises:
        DefinitionError: Not a duration.
    """
    return None if timeout is None else parse_duration(timeout, option="timeout")


def delay_until(when: Duration | datetime, now: datetime, *, option: str) -> timedelta:
    """Return the time until an instant (a naive one is UTC), 0 when it has passed. A duration is returned as it is.

    Raises:
        DefinitionError: Not a duration.
    """
    if isinstance(when, datetime):
        aware = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(timedelta(0), aware - now)
    return parse_duration(when, option=option)


def _read(value: object, option: str) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return _read_text(value, option)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _read_seconds(value, option)
    raise DefinitionError("That is not a duration", option=option, value=value, remedy=_FORMS)


def _read_seconds(value: float, option: str) -> timedelta:
    try:
        if math.isfinite(value):
            return timedelta(seconds=value)
    except OverflowError:
        pass
    raise DefinitionError("That is not a possible number of seconds", option=option, value=value, remedy=_FORMS)


def _read_text(text: str, option: str) -> timedelta:
    if len(text) > _LONGEST_TEXT or not _GRAMMAR.fullmatch(text):
        raise DefinitionError("That text is not a duration", option=option, value=text, remedy=_FORMS)
    amounts: dict[str, int] = {}
    for amount, unit in _PART.findall(text):
        name = _UNITS[unit]
        if name in amounts:
            raise DefinitionError(
                f"A duration has two parts in {name}", option=option, value=text, remedy="Add them up."
            )
        amounts[name] = int(amount)
    try:
        return timedelta(**amounts)
    except OverflowError:
        return timedelta.max
