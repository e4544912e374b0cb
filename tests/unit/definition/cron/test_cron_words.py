"""A cron expression in words."""

import pytest

from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.cron.words import describe


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
