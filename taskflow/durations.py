"""Durations as users write them: ``timedelta``, seconds, or ``"1h30m"``; and the instants that can be stored."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from taskflow.errors import DefinitionError, RetryAfter, WaitError

Duration: TypeAlias = timedelta | float | int | str
"""A ``timedelta``, seconds, or text such as ``"1h30m"`` (units w, d, h, m, s)."""

LONGEST: Final = timedelta(days=36_500)
"""A hundred years: instants computed from a duration still fit a ``datetime``."""
_AWARE: Final = "Use an aware datetime, e.g. datetime.now(UTC) + ..."

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


def check_instant(instant: datetime, *, option: str) -> datetime:
    """Return an instant that can be stored and read back: aware, and at most 100 years ahead.

    Raises:
        DefinitionError: It has no time zone, is further ahead, or lies outside of the years 1 to 9999 in UTC.
    """
    try:
        is_aware = instant.utcoffset() is not None
        is_too_far = is_aware and instant.astimezone(UTC) > datetime.now(UTC) + LONGEST
    except Exception as error:  # noqa: BLE001 - it is out of range in UTC, or its time zone, which is the user's code, raised it
        what = f"That is no instant of the years 1 to 9999 in UTC ({type(error).__name__})"
        raise DefinitionError(what, option=option, value=instant, remedy=_AWARE) from None
    if not is_aware:
        raise DefinitionError("The datetime has no time zone", option=option, value=instant, remedy=_AWARE)
    if is_too_far:
        remedy = "The furthest instant is 100 years from now; leave the option out for never."
        raise DefinitionError("That instant is too far ahead", option=option, value=instant, remedy=remedy)
    return instant


def delay_until(when: Duration | datetime, now: datetime, *, option: str) -> timedelta:
    """Return the time until an instant, 0 when it has passed. A duration is returned as it is.

    Raises:
        DefinitionError: Not a duration, and not an instant that can be stored.
    """
    if isinstance(when, datetime):
        return max(timedelta(0), check_instant(when, option=option) - now)
    return parse_duration(when, option=option)


def retry_delay(signal: RetryAfter, now: datetime) -> timedelta:
    """Return the delay that a ``RetryAfter`` chooses.

    Raises:
        WaitError: It was given neither a duration nor an instant that can be stored.
    """
    try:
        return delay_until(signal.when, now, option="when")
    except DefinitionError as refused:
        raise WaitError(f"RetryAfter: {refused}") from None
    except Exception as error:  # noqa: BLE001 - a subclass may lack the attribute, or have one that raises
        raise WaitError(f"RetryAfter: its time can't be read ({type(error).__name__}). {_FORMS}") from None


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
