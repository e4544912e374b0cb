"""Timestamps of deliveries: strict digits, and not further from now than a tolerance, in both directions."""

import re
from typing import Final, Literal

from taskflow.errors import WebhookVerificationError

TimeUnit = Literal["s", "ms"]
_DIGITS: Final = re.compile(rb"[0-9]{1,16}")


def check_timestamp(text: bytes, unit: TimeUnit, tolerance: float, now: float) -> None:
    """Refuse a timestamp that is malformed or not fresh.

    Raises:
        WebhookVerificationError: It is.
    """
    if not _DIGITS.fullmatch(text):
        raise WebhookVerificationError("the timestamp is not a plain number")
    seconds = int(text) / (1000 if unit == "ms" else 1)
    if abs(now - seconds) > tolerance:
        raise WebhookVerificationError(f"the timestamp is more than {tolerance:g} s from now")
