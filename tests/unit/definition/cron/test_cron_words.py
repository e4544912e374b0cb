"""A cron expression in words."""

from datetime import timedelta

import pytest

from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.cron.words import describe, describe_period


@pytest.mark.parametrize(
    "text, words",
    [
        ("0 9 * * 1-5", "At 09:00, Monday to Friday"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("0,30 * * * *", "Every 30 minutes"),
        ("*/7 * * * *", "At minute 0, 7, 14, 21, 28, 35, 42, 49, 56 of every hour"),
        ("5-59/15 * * * *", "At minute 5, 20, 35, 50 of every hour"),
        ("*/15 * * * 1-5", "Every 15 minutes, Monday to Friday"),
        ("0 * * * *", "Every hour"),
        ("12 * * * *", "At minute 12 of every hour"),
        ("0 */3 * * *", "Every 3 hours"),
        ("* 9-17 * * *", "Every minute of hour 9 to 17"),
        ("0 0 13 * FRI", "At 00:00, on day 13 of the month, and also on Friday (either is enough)"),
        ("0 12 LW 1,7 *", "At 12:00, on the last day from Monday to Friday of the month, in January and July"),
        ("30 8,20 * * MON#1", "At 08:30 and 20:30, the first Monday of the month"),
        ("@weekly", "At 00:00, Sunday"),
    ],
)
def test_an_expression_is_said_in_words(text: str, words: str) -> None:
    """Two restricted day fields mean either, which readers of cron do not expect."""
    assert describe(parse_cron(text)) == words


@pytest.mark.parametrize(
    "seconds, words",
    [
        (1, "Every 1 s"), (90, "Every 90 s"), (0.5, "Every 0.5 s"), (60, "Every minute"), (300, "Every 5 minutes"),
        (3600, "Every hour"), (21_600, "Every 6 hours"), (5_400, "Every 90 minutes"), (86_400, "Every day"),
        (604_800, "Every 7 days"),
    ],
)  # fmt: skip
def test_a_period_is_said_in_its_largest_unit(seconds: float, words: str) -> None:
    """A number of many seconds says nothing to a reader."""
    assert describe_period(timedelta(seconds=seconds)) == words
