"""The tries of one request: which failures are passing, how long to pause, and the error in the end. No I/O.

The numbers are those of the page about HTTP clients. A pause that the server asks for counts, as far as it is bearable.
"""

import random
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

from taskflow.errors import ServerUnavailableError, TaskflowError
from taskflow.http_client.transport.api_request import ApiAnswer, ApiRequest
from taskflow.http_client.transport.refusals import refusal

MOST_TRIES: Final = 5
FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 30.0
_PASSING: Final = frozenset({408, 425, 429})


class Tries:
    """The tries of one request so far."""

    def __init__(self, request: ApiRequest[Any], url: str, now: Callable[[], float] = time.time) -> None:
        self._request, self._url, self._now = request, url, now
        self._number = 0
        self._may_exist = False

    def after_failure(self, reason: str, *, was_sent: bool, is_final: bool = False) -> float:
        """Return how many seconds to pause after a try without an answer.

        Args:
            was_sent: Whether the server may have the request.

        Raises:
            ServerUnavailableError: That was the last try.
        """
        self._may_exist |= was_sent and self._request.is_write
        if is_final or self._is_last() or (self._may_exist and not self._request.is_repeatable):
            raise ServerUnavailableError(self._url, reason, may_exist=self._may_exist)
        return self._pause()

    def after_refusal(self, answer: ApiAnswer) -> float:
        """Return how many seconds to pause after an answer that is no success.

        Raises:
            TaskflowError: The refusal is final, or that was the last try.
        """
        if not _is_passing(answer):
            raise refusal(self._request, answer, self._url)
        self._may_exist |= self._request.is_write and answer.status >= 500
        asked = self._asked_pause(answer)
        if self._may_exist and not self._request.is_repeatable:
            raise self._gave_up(answer)
        if self._is_last() or (asked or 0) > _LONGEST_PAUSE_SECONDS:
            raise self._gave_up(answer)
        return self._pause() if asked is None else max(asked, 0.0) + random.uniform(0, FIRST_PAUSE_SECONDS)

    def _is_last(self) -> bool:
        self._number += 1
        return self._number >= MOST_TRIES

    def _pause(self) -> float:
        return FIRST_PAUSE_SECONDS * 2.0 ** (self._number - 1) * random.uniform(0.8, 1.2)

    def _asked_pause(self, answer: ApiAnswer) -> float | None:
        """Return the pause that the server asks for: seconds, a date, or an instant in Unix milliseconds."""
        if after := answer.headers.get("retry-after", "").strip():
            return self._seconds(after)
        reset = answer.headers.get("x-ratelimit-reset", "").strip() if answer.status == 429 else ""
        return int(reset) / 1000 - self._now() if reset.isdecimal() else None

    def _seconds(self, value: str) -> float | None:
        if value.isdecimal():
            return float(value)
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - self._now()

    def _gave_up(self, answer: ApiAnswer) -> TaskflowError:
        error = refusal(self._request, answer, self._url)
        if isinstance(error, ServerUnavailableError):
            return ServerUnavailableError(self._url, error.reason, status=answer.status, may_exist=self._may_exist)
        return error


def _is_passing(answer: ApiAnswer) -> bool:
    said = answer.headers.get("x-should-retry", "")
    if said in ("true", "false"):
        return said == "true"
    return answer.status in _PASSING or answer.status >= 500
