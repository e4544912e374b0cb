"""Instants of cron expressions: the vectors, and the opinion of two libraries where these are right."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.cron.walk import next_instant
from taskflow.errors import CronError
from tests.support.cron_oracle import croniter_next, cronsim_next, each_instant

VECTORS: Final[dict[str, Any]] = json.loads((Path(__file__).parents[3] / "vectors" / "cron.json").read_text())
SIX_ZONES: Final = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Tehran",
    "Africa/Casablanca",
)
SWITCHES: Final = {
    "America/New_York": ("2026-03-08T07:00Z", "2026-11-01T06:00Z"),
    "Europe/Berlin": ("2026-03-29T01:00Z", "2026-10-25T01:00Z"),
    "Australia/Lord_Howe": ("2026-10-03T15:30Z", "2026-04-04T15:00Z"),
    "America/Sao_Paulo": ("2018-11-04T03:00Z", "2019-02-17T02:00Z"),
    "Asia/Tehran": ("2022-03-21T20:30Z", "2022-09-21T19:30Z"),
    "Africa/Casablanca": ("2026-03-22T02:00Z", "2026-02-15T02:00Z"),
}
AT_SWITCHES: Final = (
    "30 2 * * *",
    "0,30 1-3 * * *",
    "*/15 * * * *",
    "* 1,2 * * *",
    "45 23 * * *",
    "0 0 * * *",
    "@hourly",
)


def instants(text: str, timezone: str, after: datetime, count: int) -> list[datetime]:
    """Return the next instants."""
    found: list[datetime] = []
    for _ in range(count):
        after = next_instant(parse_cron(text), timezone, after) or after
        found.append(after)
    return found


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: f"{vector['cron']} {vector['timezone']}")
def test_an_expression_gives_the_instants_of_its_vector(vector: dict[str, Any]) -> None:
    """The vectors were agreed on by two implementations and several libraries."""
    wanted = [datetime.fromisoformat(text) for text in vector["next"]]
    after = datetime.fromisoformat(vector["after"])
    assert instants(vector["cron"], vector["timezone"], after, len(wanted)) == wanted


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=lambda vector: vector["why"])
def test_a_wrong_expression_is_refused_with_its_reason(vector: dict[str, Any]) -> None:
    """A schedule that means something else than its author thinks is worse than none."""
    with pytest.raises(CronError) as refused:
        parse_cron(vector["cron"])
    assert refused.value.reason.endswith(".")
    assert refused.value.reason in str(refused.value)


@pytest.mark.parametrize("timezone", SIX_ZONES)
@pytest.mark.parametrize("text", AT_SWITCHES)
def test_both_clock_changes_of_six_zones_are_as_every_minute_says(text: str, timezone: str) -> None:
    """At a clock change, each library of cron has at least one error."""
    for switch in SWITCHES[timezone]:
        start = datetime.fromisoformat(switch) - timedelta(hours=26)
        until = start + timedelta(hours=52)
        expected = list(each_instant(text, timezone, start, until))
        assert instants(text, timezone, start, len(expected)) == expected
        assert len(expected) > 1


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: f"{vector['cron']} {vector['timezone']}")
def test_the_libraries_that_agree_with_a_vector_still_do(vector: dict[str, Any]) -> None:
    """A disagreement that is new is an error of theirs or of ours."""
    wanted = [datetime.fromisoformat(text) for text in vector["next"]]
    after = datetime.fromisoformat(vector["after"])
    for name, opinion in (("cronsim", cronsim_next), ("croniter", croniter_next)):
        if name in vector["agree"]:
            assert opinion(vector["cron"], vector["timezone"], after, len(wanted)) == wanted, name


def test_a_daily_time_keeps_its_wall_time_over_a_clock_change() -> None:
    """Users reported 16:04 an hour late on the day of the change."""
    friday = datetime(2026, 3, 7, 0, 0, tzinfo=UTC)
    assert [f"{at:%d %H:%M}" for at in instants("4 16 * * *", "America/New_York", friday, 2)] == [
        "07 21:04",
        "08 20:04",
    ]


def test_the_next_instant_is_later_than_the_one_before_it() -> None:
    """A library that returned the instant it was asked for sent one task 32,000 times."""
    at = datetime(2026, 10, 25, 0, 29, 59, 999_999, tzinfo=UTC)
    first, second = instants("30 2 * * *", "Europe/Berlin", at, 2)
    assert (first, second) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 26, 1, 30, tzinfo=UTC))


def test_no_instant_follows_the_last_years() -> None:
    """An instant that no datetime can hold must not end upkeep."""
    assert next_instant(parse_cron("@daily"), "UTC", datetime(9999, 12, 31, tzinfo=UTC)) is None
