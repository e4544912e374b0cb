"""Durations as people read them: ``840 ms``, ``2.87 s``, ``18 m 21 s``, ``6 d 3 h``."""

from datetime import timedelta
from typing import Final

NO_BREAK: Final = "\u00a0"
DASH: Final = "\u2013"
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400


def duration(value: timedelta | float | None) -> str:
    """Return a duration, given as timedelta or seconds; an en dash for None."""
    if value is None:
        return DASH
    seconds = max(0.0, value.total_seconds() if isinstance(value, timedelta) else float(value))
    if round(seconds * 1000) < 1000:
        return f"{seconds * 1000:.0f}{NO_BREAK}ms"
    if round(seconds, 2) < 10:
        return f"{seconds:.2f}{NO_BREAK}s"
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f}{NO_BREAK}s"
    return whole_duration(seconds)


def whole_duration(value: timedelta | float) -> str:
    """Return a duration without decimals: ``33 s``. For the future, and for ages."""
    seconds = int(max(0.0, value.total_seconds() if isinstance(value, timedelta) else float(value)))
    if seconds < _MINUTE:
        return f"{seconds}{NO_BREAK}s"
    if seconds < _HOUR:
        return _two(seconds // _MINUTE, "m", seconds % _MINUTE, "s")
    if seconds < _DAY:
        return _two(seconds // _HOUR, "h", seconds % _HOUR // _MINUTE, "m")
    return _two(seconds // _DAY, "d", seconds % _DAY // _HOUR, "h")


def limit_words(value: timedelta | float) -> str:
    """Return a duration that people have chosen, without a second unit that is zero: ``30 m``."""
    return whole_duration(value).removesuffix(f"{NO_BREAK}0{NO_BREAK}s").removesuffix(f"{NO_BREAK}0{NO_BREAK}m")


def age(value: timedelta | float) -> str:
    """Return how long ago something was, in one unit: ``18 m ago``."""
    seconds = int(max(0.0, value.total_seconds() if isinstance(value, timedelta) else float(value)))
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= size:
            return f"{seconds // size}{NO_BREAK}{unit} ago"
    return f"{seconds}{NO_BREAK}s ago"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{NO_BREAK}{large_unit}{NO_BREAK}{small}{NO_BREAK}{small_unit}"
