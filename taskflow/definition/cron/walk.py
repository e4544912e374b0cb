"""The next instant of a schedule: of a cron expression in a time zone, or of a period that is anchored at its start.

A zone's time is walked in segments of one offset from UTC. In a segment, wall time and UTC differ by a constant.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from taskflow.definition.cron.expression import Cron, last_instant_before
from taskflow.definition.cron.zones import find_zone, is_second_pass, next_transition, offset_at

_TICK = timedelta(microseconds=1)
_ROOM = timedelta(days=2)


def next_instant(cron: Cron, timezone: str, after: datetime) -> datetime | None:
    """Return the first instant after an aware one at which a schedule is due, None in the year 9998 and later.

    Raises:
        ScheduleError: There is no such time zone.
    """
    zone = find_zone(timezone)
    start = after.astimezone(UTC).replace(tzinfo=None)
    if not 2 < start.year < 9997:
        return None
    found = _Walk(cron, zone, start).first()
    if found is None:
        return None
    assert found > start, f"{cron.text} in {timezone} after {after}: {found}"
    return found.replace(tzinfo=UTC)


def next_of_period(start: datetime, period: timedelta, after: datetime) -> datetime:
    """Return the first instant ``start + n * period`` after another one, n being 0 or more."""
    return start if after < start else start + ((after - start) // period + 1) * period


class _Walk:
    """The search for one instant. Instants are naive and UTC; wall times are naive, too."""

    def __init__(self, cron: Cron, zone: ZoneInfo, after: datetime) -> None:
        self._cron, self._zone, self._after = cron, zone, after
        self._end = last_instant_before(after)

    def first(self) -> datetime | None:
        start, offset = self._after + _TICK, offset_at(self._zone, self._after)
        floor = self._repeated_until(offset)
        wall = self._from(start + offset, floor)
        at = self._after
        while True:
            due = None if wall is None else wall - offset
            change = next_transition(self._zone, at, min(due, self._end) if due else self._end)
            if change is None:
                return due if due is None or due <= self._end else None
            new = offset_at(self._zone, change)
            if self._is_skipped(change + offset, change + new):
                return change
            floor = change + offset if new < offset else floor
            at, offset = change, new
            wall = self._from(change + new, floor)

    def _from(self, wall: datetime, floor: datetime | None) -> datetime | None:
        """Return the first wall time of the expression. A fixed one has none before ``floor``: those came before."""
        if self._cron.is_fixed and floor is not None and wall < floor:
            wall = floor
        return self._cron.first_wall_time(wall, self._end + _ROOM)

    def _is_skipped(self, old: datetime, new: datetime) -> bool:
        """Whether the clock, set forward from one wall time to another, skips a time of a fixed expression."""
        return self._cron.is_fixed and old < new and self._cron.first_wall_time(old, new) is not None

    def _repeated_until(self, offset: timedelta) -> datetime | None:
        """Return the wall time up to which the wall times after the start are repeated ones, None if they are not."""
        if not self._cron.is_fixed or not is_second_pass(self._zone, self._after):
            return None
        wall = self._after + offset
        before = wall.replace(tzinfo=self._zone, fold=0).utcoffset()
        assert before is not None
        change = next_transition(self._zone, self._after - (before - offset) - _TICK, self._after)
        return None if change is None else change + before
