"""Debouncing: many triggers in quick succession make one delayed run."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from taskflow.durations import Duration, parse_duration
from taskflow.errors import DefinitionError
from taskflow.texts import text_fault

LONGEST_KEY: Final = 512


@dataclass(frozen=True, slots=True, init=False)
class Debounce:
    """While a run of the same task and key is DELAYED, a further trigger puts it off instead of making another.

    Attributes:
        key: 1 to 512 characters.
        delay: From the last trigger to the run's start, above 0.
        mode: The trigger whose payload counts: the first (``"leading"``) or the last (``"trailing"``, with its tags,
            metadata, machine, ``max_attempts`` and ``max_duration``).
        max_delay: From the run's making: a trigger that would put it off beyond makes another run. None: no bound.
    """

    key: str
    delay: timedelta
    mode: Literal["leading", "trailing"]
    max_delay: timedelta | None

    def __init__(
        self,
        key: str,
        delay: Duration,
        *,
        mode: Literal["leading", "trailing"] = "leading",
        max_delay: Duration | None = None,
    ) -> None:
        """Declare a debouncing.

        Raises:
            DefinitionError: An option is out of its range.
        """
        put = object.__setattr__
        put(self, "key", _checked_key(key))
        put(self, "delay", parse_duration(delay, option="delay"))
        put(self, "mode", mode)
        put(self, "max_delay", None if max_delay is None else parse_duration(max_delay, option="max_delay"))
        if mode not in ("leading", "trailing"):
            raise _wrong("mode", mode, 'Use "leading" or "trailing".')
        if not self.delay:
            raise _wrong("delay", delay, "Give a duration above 0.")
        if self.max_delay is not None and self.max_delay <= self.delay:
            raise _wrong("max_delay", max_delay, "Give a longer one than delay, or leave it out.")


def _checked_key(key: object) -> str:
    if isinstance(key, str) and 1 <= len(key) <= LONGEST_KEY and text_fault(key) is None:
        return key
    raise _wrong("key", key, f"Use text of 1 to {LONGEST_KEY} characters without NUL and lone surrogates.")


def _wrong(option: str, value: object, remedy: str) -> DefinitionError:
    return DefinitionError("That is no way to debounce", option=option, value=value, remedy=remedy)
