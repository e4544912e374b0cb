"""Durations as users write them."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest

from taskflow.durations import LONGEST, check_instant, parse_duration
from taskflow.errors import DefinitionError


@pytest.mark.parametrize(
    "text, seconds",
    [("90s", 90), ("5m", 300), ("1h30m", 5400), ("30m1h", 5400), ("2hr", 7200), ("1d", 86_400), ("1w2d", 777_600)],
)
def test_text_has_whole_numbers_with_units_in_any_order(text: str, seconds: int) -> None:
    """This is Trigger.dev's grammar: delays copied from there keep their meaning."""
    assert parse_duration(text, option="delay") == timedelta(seconds=seconds)


def test_a_number_is_seconds_and_a_timedelta_is_itself() -> None:
    """Celery and Django count in seconds, so a bare number must too."""
    assert parse_duration(1.5, option="delay") == timedelta(seconds=1.5)
    assert parse_duration(timedelta(hours=1), option="delay") == timedelta(hours=1)


@pytest.mark.parametrize("text", ["", "5", "500ms", "1.5h", "-1h", "1 h", "5 minutes", "1M", "\u0661h", "1h" * 51])
def test_other_text_is_refused_with_the_forms_that_work(text: str) -> None:
    """A delay read wrongly runs a payment at the wrong time; better not at all."""
    with pytest.raises(DefinitionError, match="1h30m") as refused:
        parse_duration(text, option="delay")
    assert (refused.value.option, refused.value.value) == ("delay", text)


def test_a_unit_given_twice_is_refused() -> None:
    """Trigger.dev ignores all but the first, which surprises whoever wrote it."""
    with pytest.raises(DefinitionError, match="two parts in hours"):
        parse_duration("1h2hr", option="ttl")


@pytest.mark.parametrize("value", [-1, timedelta(days=-1)])
def test_a_negative_duration_is_refused(value: timedelta | int) -> None:
    """It usually is a subtraction the wrong way round."""
    with pytest.raises(DefinitionError, match="never negative"):
        parse_duration(value, option="delay")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, 10**400, True, None, "9" * 60 + "w"])
def test_what_no_clock_could_measure_is_refused(value: float) -> None:
    """An overflow would otherwise come later, in the middle of a trigger or of a retry."""
    with pytest.raises(DefinitionError):
        parse_duration(value, option="delay")


FAR = datetime.now(UTC) + LONGEST + timedelta(days=1)


class Broken(tzinfo):
    """A time zone whose code fails."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        raise LookupError("no such zone")

    dst = utcoffset

    def tzname(self, dt: datetime | None) -> str:
        raise LookupError("no such zone")


@pytest.mark.parametrize(
    "instant",
    [
        datetime(2030, 1, 1),
        datetime.max.replace(tzinfo=UTC),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        FAR,
    ],
)
def test_an_instant_that_cannot_be_stored_is_refused(instant: datetime) -> None:
    """A list that holds it could not be read any more."""
    with pytest.raises(DefinitionError) as refused:
        check_instant(instant, option="delay")
    assert (refused.value.option, refused.value.value) == ("delay", instant)


def test_a_time_zone_that_fails_is_refused() -> None:
    """Its code is the user's, and may raise anything."""
    with pytest.raises(DefinitionError, match="LookupError"):
        check_instant(datetime(2030, 1, 1, tzinfo=Broken()), option="delay")


def test_an_aware_instant_within_a_hundred_years_is_kept_as_it_is() -> None:
    """Also one that has passed: its run starts at once."""
    for instant in (datetime(1, 1, 1, tzinfo=UTC), FAR - timedelta(days=2), datetime.now().astimezone()):
        assert check_instant(instant, option="delay") is instant
