"""The expiry of a public token, as the official client sends it. No I/O."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.seams.public_tokens import DEFAULT_LIFE, LONGEST_LIFE

_UNITS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365.25),
}
_SPAN: Final = re.compile(
    r"\+? ?([0-9]{1,12}(?:\.[0-9]{1,6})?) ?"
    r"(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:eeks?)?|y(?:(?:ea)?rs?)?)(?: from now)?",
    re.IGNORECASE,
)
FORMS: Final = 'Send the Unix second of the expiry, or text such as "15m", "24hr" or "2 days", within 30 days from now.'


def expiry(given: float | str | None, now: datetime) -> datetime:
    """Return the instant of an ``expirationTime``: an absolute Unix second, a duration, or an ISO 8601 instant.

    Raises:
        ValueError: It is none of these, has passed, or lies more than 30 days ahead. The text is the reason.
    """
    if given is None:
        return now + DEFAULT_LIFE
    at = _from_text(given, now) if isinstance(given, str) else _from_seconds(given)
    if at <= now:
        raise ValueError("it has passed")
    if at > now + LONGEST_LIFE:
        raise ValueError("it is more than 30 days ahead")
    return at


def _from_seconds(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise ValueError("it is not a Unix second") from None


def _from_text(text: str, now: datetime) -> datetime:
    if span := _SPAN.fullmatch(text):
        try:
            return now + float(span[1]) * _UNITS[span[2][0].lower()]
        except OverflowError:
            raise ValueError("it is more than 30 days ahead") from None
    try:
        at = datetime.fromisoformat(text[:40])
    except ValueError:
        raise ValueError("it is not a duration") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
