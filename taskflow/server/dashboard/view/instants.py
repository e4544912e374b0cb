"""Instants as people read them: age, clock time, date, in the reader's zone. ``<time>`` carries the instant."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from markupsafe import Markup, escape

from taskflow.server.dashboard.view.durations import DASH, NO_BREAK, age, duration, whole_duration
from taskflow.server.dashboard.view.reader import READER

_SLOW: Final = timedelta(minutes=5)
_DATED: Final = timedelta(days=7)
"""Instants that are further away are shown as dates."""


def full_instant(at: datetime) -> str:
    """Return an instant to the millisecond: ``28 Nov 2026, 14:02:10.200 CET``."""
    return _full(at, READER.get().zone)


def clock(at: datetime | None) -> str:
    """Return the clock time of an instant."""
    return DASH if at is None else f"{at.astimezone(READER.get().zone):%H:%M:%S}"


def clock_ms(at: datetime) -> str:
    """Return the clock time of an instant to the millisecond."""
    local = at.astimezone(READER.get().zone)
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"


def day(at: datetime) -> str:
    """Return the date of an instant: ``28 Nov``, with the year of another year."""
    zone = READER.get().zone
    local = at.astimezone(zone)
    year = "" if local.year == datetime.now(zone).year else f" {local.year}"
    return f"{local.day}{NO_BREAK}{local:%b}{year}"


def zone_name() -> str:
    """Return the name of the reader's zone, for the heads of columns."""
    return datetime.now(READER.get().zone).tzname() or "UTC"


def age_time(at: datetime | None) -> Markup | str:
    """Return the age of an instant as an element, which the page counts on; a date beyond seven days."""
    if at is None:
        return DASH
    return _element(at, "age", _aged(at))


def clock_time(at: datetime | None) -> Markup | str:
    """Return the clock time of an instant as an element; a date beyond seven days."""
    if at is None:
        return DASH
    return _element(at, "clock", clock(at) if datetime.now(UTC) - at < _DATED else day(at))


def due_time(at: datetime | None) -> Markup | str:
    """Return how far away an instant of the future is, as an element: ``in 33 s``."""
    if at is None:
        return DASH
    left = at - datetime.now(UTC)
    return _element(at, "due", f"in{NO_BREAK}{whole_duration(left)}" if left > timedelta() else "now")


def running_time(since: datetime | None) -> Markup | str:
    """Return how long something lasts that has not ended, as an element, which the page counts on."""
    if since is None:
        return DASH
    return _element(since, "running", duration(datetime.now(UTC) - since))


def up_time(since: datetime) -> str:
    """Return how long something is up, in one unit: ``3 h``."""
    return age(datetime.now(UTC) - since).removesuffix(" ago")


def is_slow(since: datetime | None) -> bool:
    """Whether a wait since then is long enough to be amber: five minutes."""
    return since is not None and datetime.now(UTC) - since > _SLOW


def _aged(at: datetime) -> str:
    past = datetime.now(UTC) - at
    return age(past) if past < _DATED else day(at)


def _element(at: datetime, kind: str, text: str) -> Markup:
    return Markup(f'<time data-time="{kind}" {_attributes(at, READER.get().zone)}>{escape(text)}</time>')


@lru_cache(maxsize=8192)
def _attributes(at: datetime, zone: tzinfo) -> str:
    """Return the attributes of an instant: several columns show the same one, and all tabs the same runs."""
    iso = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f'datetime="{iso}" title="{escape(_full(at, zone))}"'


def _full(at: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    return f"{local.day} {local:%b %Y, %H:%M:%S}.{local.microsecond // 1000:03d} {local.tzname()}"
