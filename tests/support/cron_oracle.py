"""Second opinions on cron expressions: every minute looked at in turn, and two libraries with their known errors."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest

from taskflow.definition.cron.expression import Cron, parse_cron
from taskflow.definition.cron.zones import find_zone

MINUTE = timedelta(minutes=1)


def named(cron: Cron, wall: datetime) -> bool:
    """Whether an expression names a wall time."""
    return wall.minute in cron.minutes and wall.hour in cron.hours and cron.has_day(wall.date())


def each_instant(text: str, timezone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the instants of an expression, found by a look at every minute. Slow, and without any calculation."""
    cron, zone = parse_cron(text), find_zone(timezone)
    at = after.astimezone(UTC).replace(second=0, microsecond=0)
    while (at := at + MINUTE) <= until:
        local = at.astimezone(zone)
        wall = local.replace(tzinfo=None, fold=0)
        is_named = named(cron, wall) and not (cron.is_fixed and local.fold == 1)
        if at > after and (is_named or (cron.is_fixed and _is_gap_with_time(cron, at, wall, timezone))):
            yield at


def _is_gap_with_time(cron: Cron, at: datetime, wall: datetime, timezone: str) -> bool:
    """Whether the clock was set forward at an instant, and the minutes that it skipped have one of the expression."""
    skipped = (at - MINUTE).astimezone(find_zone(timezone)).replace(tzinfo=None, fold=0) + MINUTE
    while skipped < wall:
        if named(cron, skipped):
            return True
        skipped += MINUTE
    return False


def cronsim_next(text: str, timezone: str, after: datetime, count: int) -> list[datetime]:
    """Return the next instants as cronsim computes them."""
    library: Any = import_or_skip("cronsim")
    instants = library.CronSim(text, after.astimezone(find_zone(timezone)))
    return [next(instants).astimezone(UTC) for _ in range(count)]


def croniter_next(text: str, timezone: str, after: datetime, count: int) -> list[datetime]:
    """Return the next instants as croniter computes them."""
    library: Any = import_or_skip("croniter")
    instants = library.croniter(text, after.astimezone(find_zone(timezone)))
    return [instants.get_next(datetime).astimezone(UTC) for _ in range(count)]


def import_or_skip(name: str) -> Any:
    """Return a library of the development extra."""
    pytest.importorskip(name)
    return import_module(name)
