"""The choice of the rule for a status, and the reading of reset headers."""

from datetime import UTC, datetime, timedelta

import pytest

from taskflow import DefinitionError, ResetHeader, Retry
from taskflow.retrying.strategies import DEFAULT_BY_STATUS, ResetFormat, Rules, delay_of

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ONE, TWO = Retry(max_attempts=1), Retry(max_attempts=2)


@pytest.mark.parametrize(
    "key, fits, fits_not",
    [
        (429, [429], [428, 430]),
        ("429", [429], [428]),
        ("500-503", [500, 503], [499, 504]),
        ("5xx", [500, 599], [499]),
        ("50x", [500, 509], [510]),
        ("all", [200, 404, 599], []),
        ("429, 408,5XX", [429, 408, 503], [409]),
    ],
)
def test_keys_name_statuses(key: str | int, fits: list[int], fits_not: list[int]) -> None:
    """The forms of Trigger.dev's byStatus."""
    rules = Rules({key: ONE})
    assert [rules.strategy(status) for status in fits] == [ONE] * len(fits)
    assert [rules.strategy(status) for status in fits_not] == [None] * len(fits_not)


def test_the_first_key_that_fits_counts() -> None:
    """None lets a status through that a later key would try again."""
    rules = Rules({501: None, "500-509": ONE, "5xx": TWO})
    assert [rules.strategy(status) for status in (501, 502, 510, 200)] == [None, ONE, TWO, None]


def test_the_default_tries_what_may_pass_again() -> None:
    """429, 408, 409 and 5xx: three attempts."""
    rules = Rules(DEFAULT_BY_STATUS)
    assert [status for status in range(100, 600) if rules.strategy(status)] == [408, 409, 429, *range(500, 600)]


@pytest.mark.parametrize("key", ["", "5x", "4290", "503-500", "xxx", "5xx,", "teapot", "-5"])
def test_a_key_that_can_not_be_read_is_refused(key: str) -> None:
    """At once, not when the first response comes."""
    with pytest.raises(DefinitionError, match='"5xx"'):
        Rules({key: ONE})


@pytest.mark.parametrize(
    "form, text, seconds",
    [
        ("retry_after", "120", 120),
        ("retry_after", "Tue, 01 Jan 2030 00:01:00 GMT", 60),
        ("unix_timestamp", str(int(NOW.timestamp()) + 5), 5),
        ("unix_timestamp_in_ms", str(int(NOW.timestamp() * 1000) + 250), 0.25),
        ("iso_8601", "2030-01-01T00:00:10Z", 10),
        ("iso_8601", "2030-01-01T02:00:10+02:00", 10),
        ("iso_8601_duration_openai_variant", "6m0s", 360),
        ("iso_8601_duration_openai_variant", "1d2h3m4.5s", 93784.5),
        ("iso_8601_duration_openai_variant", "20ms", 0.02),
    ],
)
def test_reset_headers_name_an_instant(form: ResetFormat, text: str, seconds: float) -> None:
    """RFC 9110's Retry-After, and the formats of Trigger.dev."""
    reset = ResetHeader("x-reset", form).reset_at(text, NOW)
    assert reset is not None
    assert (reset - NOW).total_seconds() == pytest.approx(seconds)


@pytest.mark.parametrize("text", [None, "", "soon", "1e999", "-"])
@pytest.mark.parametrize("form", ["retry_after", "unix_timestamp", "iso_8601", "iso_8601_duration_openai_variant"])
def test_an_unreadable_header_falls_back_to_backoff(form: ResetFormat, text: str | None) -> None:
    """A server's nonsense must not break the client."""
    strategy = ResetHeader("x-reset", form, otherwise=Retry(2, randomize=False))
    assert delay_of(strategy, 1, lambda _: text, NOW, lambda: 0) == timedelta(seconds=1)
    assert delay_of(strategy, 2, lambda _: text, NOW, lambda: 0) is None


def test_a_reset_too_far_away_or_a_tenth_attempt_ends_the_tries() -> None:
    """A header must not hold a run for a year; a server that always says "soon" must not hold it for ever."""
    strategy = ResetHeader(max_delay="1m")
    assert delay_of(strategy, 1, lambda _: "61", NOW, lambda: 0) is None
    assert delay_of(strategy, 9, lambda _: "60", NOW, lambda: 0) == timedelta(minutes=1)
    assert delay_of(strategy, 10, lambda _: "0", NOW, lambda: 0) is None


def test_a_misspelt_format_is_refused() -> None:
    """The error comes when the transport is made, not when the limit is hit."""
    with pytest.raises(DefinitionError, match="unix_timestamp"):
        ResetHeader("x-reset", "unix")  # type: ignore[arg-type]  # what untyped callers send
