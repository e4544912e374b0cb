"""Durations as users write them."""

from datetime import timedelta

import pytest

from taskflow.durations import parse_duration
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
