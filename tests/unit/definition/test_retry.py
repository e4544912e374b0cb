"""The backoff, number by number."""

from datetime import timedelta

import pytest

from taskflow.definition.retry import Retry
from taskflow.errors import DefinitionError


def no_jitter() -> float:
    return 0.0


def test_the_defaults_are_three_attempts_one_second_doubled() -> None:
    """These are the numbers that Trigger.dev documents."""
    retry = Retry()
    assert (retry.max_attempts, retry.factor, retry.randomize, retry.out_of_memory) == (3, 2.0, True, None)
    assert [retry.delay_after(n, no_jitter) for n in (1, 2)] == [timedelta(seconds=1), timedelta(seconds=2)]


def test_the_documented_example_gives_the_documented_delays() -> None:
    """500 ms by 1.8: 500, 900, 1620 in Trigger.dev's manual, to the millisecond."""
    retry = Retry(factor=1.8, min_delay=0.5, randomize=False)
    assert [retry.delay_after(n, no_jitter) for n in (1, 2, 3)] == [
        timedelta(milliseconds=ms) for ms in (500, 900, 1620)
    ]


def test_jitter_lengthens_by_up_to_double_and_comes_before_the_cap() -> None:
    """Jitter after the cap would let delays exceed what the user allowed."""
    retry = Retry(min_delay="10s", max_delay="15s")
    assert retry.delay_after(1, lambda: 0.25) == timedelta(seconds=12.5)
    assert retry.delay_after(1, lambda: 0.999) == timedelta(seconds=15)


def test_the_delay_of_a_huge_attempt_is_the_cap() -> None:
    """2 ** 5000 is no float; the run must still be tried again."""
    assert Retry(max_attempts=9999).delay_after(5000, no_jitter) == timedelta(seconds=60)


def test_a_delay_of_zero_is_valid() -> None:
    """Trigger.dev takes 0 for "no retry" in some places; here it means at once."""
    assert Retry(min_delay=0).delay_after(1, no_jitter) == timedelta(0)


def test_trigger_dev_names_are_read_from_json() -> None:
    """A project that moves over keeps its configuration."""
    options = {
        "maxAttempts": 5,
        "minTimeoutInMs": 500,
        "maxTimeoutInMs": 30_000,
        "outOfMemory": {"machine": "large-1x"},
    }
    assert Retry.from_json(options) == Retry(5, min_delay=0.5, max_delay=30, out_of_memory="large-1x")


def test_an_unknown_name_in_json_names_the_near_miss() -> None:
    """A silently ignored limit would be the default, and nobody would know."""
    with pytest.raises(DefinitionError, match="maxAttempts"):
        Retry.from_json({"maxAttemps": 5})


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3"])
def test_max_attempts_is_a_whole_number_from_one(value: int) -> None:
    """The first attempt counts; 0 would be a run that never runs."""
    with pytest.raises(DefinitionError, match="max_attempts"):
        Retry(max_attempts=value)


@pytest.mark.parametrize("value", [0, -2, float("nan"), float("inf")])
def test_factor_is_a_positive_number(value: float) -> None:
    """Anything else gives delays without meaning."""
    with pytest.raises(DefinitionError, match="factor"):
        Retry(factor=value)
