"""The retry policy: how often a failed run is tried again, and after what delay. Nothing sleeps here."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from taskflow.durations import Duration, parse_duration
from taskflow.errors import DefinitionError
from taskflow.suggestions import did_you_mean

MOST_ATTEMPTS: Final = sys.maxsize
"""Most attempts of a run: an integer that every language reads."""
_FROM_JSON: Final = {
    "maxAttempts": "max_attempts",
    "factor": "factor",
    "minTimeoutInMs": "min_delay",
    "maxTimeoutInMs": "max_delay",
    "randomize": "randomize",
    "outOfMemory": "out_of_memory",
}


@dataclass(frozen=True, slots=True, init=False)
class Retry:
    """The retry policy of a run whose attempt failed.

    Attributes:
        max_attempts: Attempts in all, with the first.
        factor: Multiplies each further delay.
        min_delay: Delay after the first failure, before jitter.
        max_delay: Upper bound of every delay, applied after jitter.
        randomize: Whether a delay is lengthened by up to its own length.
        out_of_memory: Machine preset that an attempt moves to once it ran out of memory; None ends the run.
    """

    max_attempts: int
    factor: float
    min_delay: timedelta
    max_delay: timedelta
    randomize: bool
    out_of_memory: str | None

    def __init__(
        self,
        max_attempts: int = 3,
        factor: float = 2.0,
        min_delay: Duration = timedelta(seconds=1),
        max_delay: Duration = timedelta(seconds=60),
        randomize: bool = True,
        out_of_memory: str | None = None,
    ) -> None:
        """Declare a retry policy.

        Raises:
            DefinitionError: An option is out of its range.
        """
        _check_max_attempts(max_attempts)
        _check_factor(factor)
        put = object.__setattr__  # frozen: the attributes are narrower than the arguments
        put(self, "max_attempts", max_attempts)
        put(self, "factor", float(factor))
        put(self, "min_delay", parse_duration(min_delay, option="min_delay"))
        put(self, "max_delay", parse_duration(max_delay, option="max_delay"))
        put(self, "randomize", randomize)
        put(self, "out_of_memory", out_of_memory)

    def delay_after(self, failed_attempts: int, random: Callable[[], float]) -> timedelta:
        """Return the delay before the next attempt, in whole milliseconds.

        ``min(max_delay, r * min_delay * factor ** (failed_attempts - 1))`` with ``r = 1 + random()``, or 1 without
        jitter: Trigger.dev's ``calculateNextRetryDelay``.

        Args:
            failed_attempts: Number of attempts that have failed, from 1.
            random: Source of numbers in [0, 1).
        """
        lengthened = 1 + random() if self.randomize else 1.0
        try:
            grown = self.min_delay.total_seconds() * lengthened * self.factor ** (failed_attempts - 1)
        except OverflowError:
            return self.max_delay
        seconds = min(self.max_delay.total_seconds(), grown)
        return timedelta(milliseconds=round(seconds * 1000))

    @classmethod
    def from_json(cls, options: Mapping[str, object]) -> Self:
        """Read Trigger.dev's JSON form, e.g. ``{"maxAttempts": 5, "minTimeoutInMs": 500}``.

        Raises:
            DefinitionError: An unknown name, or a value out of its range.
        """
        given: dict[str, object] = {}
        for name, value in options.items():
            if name not in _FROM_JSON:
                remedy = did_you_mean(name, _FROM_JSON, "names")
                raise DefinitionError("Unknown retry option in JSON", option=name, value=value, remedy=remedy)
            given[_FROM_JSON[name]] = _from_json(name, value)
        return cls(**given)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - __init__ checks each one


def _from_json(name: str, value: object) -> object:
    if name == "outOfMemory" and isinstance(value, Mapping):
        return value.get("machine")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - any JSON
    if name.endswith("InMs"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            remedy = "Give a number of milliseconds."
            raise DefinitionError("That is not a delay", option=name, value=value, remedy=remedy)
        return value / 1000
    return value


def _check_max_attempts(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_ATTEMPTS:
        remedy = "Give a whole number from 1 to sys.maxsize (the first attempt counts; 1 means no retry)."
        raise DefinitionError("That many attempts are not possible", option="max_attempts", value=value, remedy=remedy)


def _check_factor(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= sys.float_info.max:
        remedy = "Give a number above 0; 2 doubles the delay after each failure."
        raise DefinitionError("Delays can't grow by that", option="factor", value=value, remedy=remedy)
