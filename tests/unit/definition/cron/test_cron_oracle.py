"""Random expressions, zones and instants against a look at every minute; and, without clock changes, two libraries."""

import os
import random
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.cron.walk import next_instant
from tests.support.cron_oracle import croniter_next, cronsim_next, each_instant

CASES: Final = int(os.environ.get("CRON_CASES", "100"))
ZONES: Final = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Tehran",
    "Africa/Casablanca",
    "Africa/Cairo",
    "America/Havana",
    "America/Santiago",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
)
HOURS: Final = st.integers(0, 23)
MINUTES: Final = st.sampled_from(["0", "30", "*", "*/20", "15,45", "5/15", "10-12", "50-5/5", "59"])
HOUR_TEXTS: Final = st.one_of(
    st.sampled_from(["*", "*/2", "0-4", "1,2,3", "22-2"]), st.builds(str, HOURS), st.builds(str, st.integers(0, 3))
)
DAY_TEXTS: Final = st.sampled_from(["*", "*", "*", "?", "L", "LW", "15W", "1-7", "*/2"])
WEEKDAY_TEXTS: Final = st.sampled_from(["*", "*", "*", "?", "SUN", "FRI-MON", "1-5", "5L", "MON#1"])
EXPRESSIONS: Final = st.builds("{} {} {} * {}".format, MINUTES, HOUR_TEXTS, DAY_TEXTS, WEEKDAY_TEXTS)


def switch_days(timezone: str) -> list[datetime]:
    """Return the days on which a zone's clock changes."""
    from taskflow.definition.cron.zones import find_zone, next_transition

    at, end = datetime(2010, 1, 1), datetime(2030, 1, 1)
    found: list[datetime] = []
    while (change := next_transition(find_zone(timezone), at, end)) is not None:
        found.append(change.replace(tzinfo=UTC))
        at = change
    return found or [datetime(2026, 3, 1, tzinfo=UTC)]


DAYS: Final = {timezone: switch_days(timezone) for timezone in ZONES}


@given(text=EXPRESSIONS, timezone=st.sampled_from(ZONES), data=st.data())
@settings(max_examples=CASES, deadline=None)
def test_the_next_instant_around_a_clock_change_is_what_every_minute_says(
    text: str, timezone: str, data: st.DataObject
) -> None:
    """Around a change, the walk through segments has its chances to be wrong."""
    change = data.draw(st.sampled_from(DAYS[timezone]))
    after = change + timedelta(seconds=data.draw(st.integers(-90_000, 90_000)))
    expected = next(each_instant(text, timezone, after, after + timedelta(days=3)), None)
    found = next_instant(parse_cron(text), timezone, after)
    assert found is not None
    assert found == expected if expected else found > after + timedelta(days=3)


@pytest.mark.parametrize("opinion", [cronsim_next, croniter_next])
def test_a_library_agrees_where_no_clock_changes(opinion: object) -> None:
    """It checks the parser and the rule of days, which the other oracle shares with the code.

    Left out is what is known to differ: cronsim reads ``*/2`` as no restriction, and has no wrapped ranges; croniter
    has no ``LW`` and reads ``N-N/1`` as the whole field; neither has the same ``N/step`` beyond the last step.
    """
    assert callable(opinion)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for _ in range(CASES):
        minute = chance.choice(["0", "*", "*/7", "3,9", "10-20/3", "0-59/2", "59"])
        hour = chance.choice(["*", "0", "*/5", "9-17", "23", "1,13"])
        day = chance.choice(["*", "1", "31", "5-9", "1,15", "L"])
        month = chance.choice(["*", "2", "JAN,jul", "1-12/3", "11"])
        weekday = chance.choice(["*", "0", "7", "mon", "1-5", "SAT,SUN"])
        text = f"{minute} {hour} {day} {month} {weekday}"
        after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(60 * 24 * 700))
        try:
            cron = parse_cron(text)
        except ValueError:
            continue  # a 31 February
        at, found = after, list[datetime]()
        for _ in range(3):
            at = next_instant(cron, "Asia/Kathmandu", at) or at
            found.append(at)
        assert found == opinion(text, "Asia/Kathmandu", after, 3), f"{text} after {after}, seed {seed}"


def test_a_period_is_anchored_at_its_start() -> None:
    """An interval that counts from the last run drifts with each restart."""
    from taskflow.definition.cron.walk import next_of_period

    start, period = datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=90)
    assert next_of_period(start, period, start - timedelta(days=1)) == start
    assert next_of_period(start, period, start) == start + period
    assert next_of_period(start, period, start + 7.5 * period) == start + 8 * period
