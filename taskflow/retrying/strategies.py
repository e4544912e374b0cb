"""Strategies for HTTP statuses: the rule that fits a status, and the delay that a response asks for. No I/O."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Literal, get_args

from taskflow.definition.retry import Retry
from taskflow.durations import Duration, parse_duration
from taskflow.errors import DefinitionError

MOST_ATTEMPTS: Final = 10
"""Most attempts of one request, whatever its rules (Trigger.dev's)."""
ResetFormat = Literal[
    "retry_after", "unix_timestamp", "unix_timestamp_in_ms", "iso_8601", "iso_8601_duration_openai_variant"
]
_BACKOFF: Final = Retry()
_OPENAI: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_KEY: Final = re.compile(r"(?P<one>\d{3})|(?P<low>\d{3})-(?P<high>\d{3})|(?P<digits>\d{1,2})(?P<x>x{1,2})|(?P<all>all)")


@dataclass(frozen=True, slots=True)
class ResetHeader:
    """Wait until the instant that a response's header names.

    Attributes:
        name: The header, e.g. ``"x-ratelimit-reset-requests"``.
        format: Its format. ``"retry_after"``: RFC 9110's ``Retry-After``, seconds or an HTTP date; the default
            of that header. ``"unix_timestamp"``: seconds, the default of all others. ``"unix_timestamp_in_ms"``.
            ``"iso_8601"``: ``2030-01-31T12:00:00Z``. ``"iso_8601_duration_openai_variant"``: ``6m0s``, ``1d2h``,
            ``20ms``.
        max_delay: A response that asks for more is returned.
        otherwise: Backoff when the header is missing or cannot be read.

    Raises:
        DefinitionError: The format does not exist, or ``max_delay`` is not a duration.
    """

    name: str = "retry-after"
    format: ResetFormat | None = None
    max_delay: Duration = timedelta(hours=1)
    otherwise: Retry = _BACKOFF

    def __post_init__(self) -> None:
        formats = get_args(ResetFormat)
        if self.format is not None and self.format not in formats:
            remedy = f"Use one of {', '.join(formats)}."
            raise DefinitionError(
                "That is not a format of reset headers", option="format", value=self.format, remedy=remedy
            )
        parse_duration(self.max_delay, option="max_delay")

    def reset_at(self, text: str | None, now: datetime) -> datetime | None:
        """Return the instant that the header's text names, None when it cannot be read."""
        form = self.format or ("retry_after" if self.name.lower() == "retry-after" else "unix_timestamp")
        try:
            return _READERS[form](text.strip(), now) if text else None
        except (ValueError, TypeError, OverflowError, OSError):
            return None


Strategy = Retry | ResetHeader
DEFAULT_BY_STATUS: Final[Mapping[str | int, Strategy | None]] = {"429,408,409,5xx": _BACKOFF}


class Rules:
    """Strategies by status; the first key that fits counts.

    Raises:
        DefinitionError: A key cannot be read.
    """

    def __init__(self, by_status: Mapping[str | int, Strategy | None]) -> None:
        self._rules = [(_ranges(key), strategy) for key, strategy in by_status.items()]

    def strategy(self, status: int) -> Strategy | None:
        """Return the strategy for a status, None to return the response."""
        for ranges, strategy in self._rules:
            if any(low <= status <= high for low, high in ranges):
                return strategy
        return None


def delay_of(
    strategy: Strategy, attempt: int, header: Callable[[str], str | None], now: datetime, random: Callable[[], float]
) -> timedelta | None:
    """Return how long to wait after a bad response to attempt number ``attempt``, None when it is the last."""
    if attempt >= MOST_ATTEMPTS:
        return None
    if isinstance(strategy, ResetHeader):
        reset = strategy.reset_at(header(strategy.name), now)
        if reset is not None:
            delay = max(timedelta(0), reset - now)
            return delay if delay <= parse_duration(strategy.max_delay, option="max_delay") else None
        strategy = strategy.otherwise
    return strategy.delay_after(attempt, random) if attempt < strategy.max_attempts else None


def _ranges(key: str | int) -> list[tuple[int, int]]:
    return [_range(part.strip(), key) for part in str(key).split(",")]


def _range(part: str, key: str | int) -> tuple[int, int]:
    match = _KEY.fullmatch(part.lower())
    if match and match["all"]:
        return 100, 599
    if match and match["one"]:
        return int(part), int(part)
    if match and match["low"] and match["low"] <= match["high"]:
        return int(match["low"]), int(match["high"])
    if match and match["digits"] and len(part) == 3:
        return int(match["digits"] + "0" * len(match["x"])), int(match["digits"] + "9" * len(match["x"]))
    remedy = 'Write 429, "500-599", "5xx", "50x", "all", or several of them with commas.'
    raise DefinitionError("Those are not HTTP statuses", option="by_status", value=key, remedy=remedy)


def _retry_after(text: str, now: datetime) -> datetime:
    if text.isdecimal():
        return now + timedelta(seconds=int(text))
    date = parsedate_to_datetime(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _iso_instant(text: str, _: datetime) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _openai_duration(text: str, now: datetime) -> datetime:
    match = _OPENAI.fullmatch(text)
    if match is None:
        raise ValueError(text)
    days, hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return now + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds)


_READERS: Final[Mapping[ResetFormat, Callable[[str, datetime], datetime]]] = {
    "retry_after": _retry_after,
    "unix_timestamp": lambda text, _: datetime.fromtimestamp(float(text), UTC),
    "unix_timestamp_in_ms": lambda text, _: datetime.fromtimestamp(float(text) / 1000, UTC),
    "iso_8601": _iso_instant,
    "iso_8601_duration_openai_variant": _openai_duration,
}
