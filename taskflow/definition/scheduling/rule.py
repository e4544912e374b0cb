"""The rule of a schedule: its ticks, and the instants at which they are fired. No clock, no I/O."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.cron.walk import next_instant, next_of_period
from taskflow.durations import Duration, parse_duration
from taskflow.errors import DefinitionError, ScheduleError

SHORTEST: Final = timedelta(seconds=1)
LONGEST_JITTER: Final = timedelta(hours=24)
_PERCENT: Final = re.compile(r"([0-9]{1,3})%", re.ASCII)
_FRACTION: Final = re.compile(r"[0-9]*\.?[0-9]+ ?(ms|s)", re.ASCII)
_AT_LEAST: Final = "Give at least a second, in whole milliseconds; a task that loops is right for less."
_FIRST_SPAN: Final = timedelta(minutes=1)
_WIDER: Final = 4
_PARTS: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Rule:
    """The ticks of a schedule: a cron expression in a time zone, or a period from an anchor on.

    Attributes:
        jitter: The part of the interval up to the next tick, as "30%", or a duration: a tick is fired that much later
            at most. Each schedule has its own share of it, always the same.
    """

    cron: str | None = None
    every: timedelta | None = None
    timezone: str = "UTC"
    anchor: datetime | None = None
    jitter: str | timedelta | None = None

    def after(self, instant: datetime) -> datetime | None:
        """Return the first tick after an instant, None if there is none in the years that a datetime can have.

        Raises:
            ScheduleError: This process does not know the time zone, or the expression is wrong.
        """
        if self.every is not None:
            try:
                return next_of_period(self.anchor or instant, self.every, instant)
            except OverflowError:
                return None
        return next_instant(parse_cron(self.cron or ""), self.timezone, instant)

    def upcoming(self, instant: datetime, count: int) -> list[datetime]:
        """Return the next ticks after an instant."""
        ticks: list[datetime] = []
        tick = self.after(instant)
        while tick is not None and len(ticks) < count:
            ticks.append(tick)
            tick = self.after(tick)
        return ticks

    def newest(self, start: datetime, end: datetime, most: int) -> list[datetime]:
        """Return the newest ticks from ``start`` to ``end``, both included, the oldest of them first.

        The span that is searched grows from ``end`` backwards, so that a long outage costs little.
        """
        if most == 0 or end < start:
            return []
        span = _FIRST_SPAN
        while True:
            first = max(start, end - span)
            ticks = self._between(first, end)
            if len(ticks) >= most or first == start:
                return ticks[-most:]
            span *= _WIDER

    def fired_at(self, tick: datetime, schedule_id: str) -> datetime:
        """Return the instant at which a tick is fired: the tick, and the schedule's share of the jitter behind it."""
        if not self.jitter:
            return tick
        following = self.after(tick)
        interval = following - tick if following else LONGEST_JITTER
        if isinstance(self.jitter, str):
            window = interval * int(self.jitter.removesuffix("%")) / 100
        else:
            window = min(self.jitter, interval)
        share = int.from_bytes(hashlib.sha256(schedule_id.encode()).digest()[:4]) / _PARTS
        return tick + min(window, LONGEST_JITTER) * share

    def _between(self, first: datetime, end: datetime) -> list[datetime]:
        ticks: list[datetime] = []
        tick = self.after(first - timedelta(microseconds=1))
        while tick is not None and tick <= end:
            ticks.append(tick)
            tick = self.after(tick)
        return ticks


def check_period(every: Duration) -> timedelta:
    """Return the period of a schedule, in whole milliseconds.

    Raises:
        ScheduleError: It is no duration, or shorter than a second.
    """
    try:
        period = parse_duration(every, option="every")
    except DefinitionError as refused:
        remedy = refused.remedy
        if isinstance(every, str) and _FRACTION.fullmatch(every.strip()):
            remedy = f"Text has whole seconds: use timedelta(milliseconds=1500) for parts of one. {_AT_LEAST}"
        raise ScheduleError(refused.what, option="every", value=every, remedy=remedy) from None
    if period < SHORTEST or period.microseconds % 1000:
        raise ScheduleError("That period is not possible", option="every", value=every, remedy=_AT_LEAST)
    return period


def check_jitter(jitter: Duration | None) -> str | timedelta | None:
    """Return a jitter as it is kept: "30%", a duration, or None.

    Raises:
        ScheduleError: It is neither a duration up to 24 hours nor a percentage up to 100%.
    """
    if jitter is None:
        return None
    if isinstance(jitter, str) and (percent := _PERCENT.fullmatch(jitter)):
        if 1 <= int(percent[1]) <= 100:
            return f"{int(percent[1])}%"
    else:
        try:
            window = parse_duration(jitter, option="jitter")
        except DefinitionError:
            window = LONGEST_JITTER * 2
        if window <= LONGEST_JITTER:
            return window or None
    remedy = 'Give a duration up to 24 hours, for example "10m", or a part of the interval, for example "30%".'
    raise ScheduleError("That jitter is not possible", option="jitter", value=jitter, remedy=remedy)
