"""Time zones of schedules: those of the ``tzdata`` package, so that they do not depend on a node's system."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import import_module
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from taskflow.errors import ScheduleError
from taskflow.suggestions import near_miss

_STEP: Final = timedelta(days=7)
_SECOND: Final = timedelta(seconds=1)
_UTC_NAMES: Final = frozenset({"UTC", "Etc/UTC"})


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """Return the names of all time zones, UTC first, then by name."""
    names = (files("tzdata") / "zones").read_text("ascii").split()
    return ("UTC", *sorted(name for name in names if name != "UTC"))


def data_version() -> str:
    """Return the version of the time zone data, for example ``2026f``."""
    return str(import_module("tzdata").IANA_VERSION)


@lru_cache(maxsize=1024)
def find_zone(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        ScheduleError: There is none of that name.
    """
    if name not in _names():
        near = near_miss(str(name), zone_names())
        remedy = f"Did you mean {near!r}?" if near else "Use an IANA name such as Europe/Berlin; UTC is the default."
        raise ScheduleError(
            "There is no such time zone",
            option="timezone",
            value=name,
            remedy=f"{remedy} `taskflow schedules timezones` lists all.",
        )
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(zone_names())


def offset_at(zone: ZoneInfo, instant: datetime) -> timedelta:
    """Return a zone's offset from UTC at a naive UTC instant."""
    offset = instant.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def is_second_pass(zone: ZoneInfo, instant: datetime) -> bool:
    """Whether the wall time of a naive UTC instant was shown before, because the clock has been set back since."""
    return instant.replace(tzinfo=UTC).astimezone(zone).fold == 1


def next_transition(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """Return the first instant after ``start`` and up to ``end`` (naive, UTC) at which a zone's offset changes.

    Two changes within seven days that cancel each other out are not seen; no zone has had such since 1970.
    """
    if zone.key in _UTC_NAMES:
        return None
    before = offset_at(zone, start)
    while start < end:
        step = min(start + _STEP, end)
        if offset_at(zone, step) != before:
            return _first_with_other(zone, start, step, before)
        start = step
    return None


def _first_with_other(zone: ZoneInfo, low: datetime, high: datetime, before: timedelta) -> datetime:
    """Return the first whole second in (low, high] at which the offset is not ``before``."""
    low = low.replace(microsecond=0)
    steps = -((low - high) // _SECOND)
    first, last = 0, steps
    while last - first > 1:
        middle = (first + last) // 2
        if offset_at(zone, low + middle * _SECOND) == before:
            first = middle
        else:
            last = middle
    return low + last * _SECOND
