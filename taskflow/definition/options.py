"""The options of one trigger, checked before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from taskflow.definition.durations import Duration, parse_duration
from taskflow.definition.machine import Machine
from taskflow.definition.queue import NAME_REMEDY, Queue, is_queue_name
from taskflow.errors import DefinitionError, TriggerOptionError

MOST_TAGS: Final = 10
LONGEST_TAG: Final = 128
_LONGEST_KEY: Final = 2048


@dataclass(frozen=True, slots=True)
class TriggerOptions:
    """How a run differs from what its task declares. Made by ``checked``.

    ``delay`` is a ``timedelta`` or an aware ``datetime`` once checked.
    """

    queue: str | Queue | None = None
    machine: str | Machine | None = None
    delay: Duration | datetime | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    max_attempts: int | None = None

    @classmethod
    def checked(
        cls,
        *,
        queue: str | Queue | None = None,
        machine: str | Machine | None = None,
        delay: Duration | datetime | None = None,
        tags: str | Sequence[str] = (),
        idempotency_key: str | None = None,
        max_attempts: int | None = None,
    ) -> "TriggerOptions":
        """Return the options as given to a verb.

        Raises:
            TriggerOptionError: One of them is not possible. The message says which, and what to write.
        """
        if queue is None and machine is None and delay is None and not tags and idempotency_key is None:
            return _NONE if max_attempts is None else TriggerOptions(max_attempts=_check_attempts(max_attempts))
        return TriggerOptions(
            queue=_check_queue(queue),
            machine=machine,
            delay=_check_delay(delay),
            tags=check_tags(tags),
            idempotency_key=_check_key(idempotency_key),
            max_attempts=_check_attempts(max_attempts),
        )


_NONE: Final = TriggerOptions()


def check_tags(tags: str | Sequence[str]) -> tuple[str, ...]:
    """Return tags as a tuple, each one once.

    Raises:
        TriggerOptionError: More than 10, or one that is not 1 to 128 characters of text.
    """
    unique = (tags,) if isinstance(tags, str) else tuple(dict.fromkeys(tags))
    if len(unique) > MOST_TAGS:
        raise TriggerOptionError("tags", tags, f"A run has at most {MOST_TAGS} tags.")
    for tag in unique:
        if not _is_text(tag, LONGEST_TAG):
            raise TriggerOptionError("tags", tags, f"Each tag is text of 1 to {LONGEST_TAG} characters.")
    return unique


def _check_queue(queue: str | Queue | None) -> str | Queue | None:
    name = queue.name if isinstance(queue, Queue) else queue
    if isinstance(queue, Queue) and name is None:
        raise TriggerOptionError("queue", queue, "Give the queue a name, or leave the option out.")
    if name is not None and not is_queue_name(name):
        raise TriggerOptionError("queue", queue, f"{NAME_REMEDY} in a queue's name.")
    return queue


def _check_delay(delay: Duration | datetime | None) -> Duration | datetime | None:
    if delay is None:
        return None
    if isinstance(delay, datetime):
        if delay.utcoffset() is None:
            raise TriggerOptionError("delay", delay, "Give an aware datetime, e.g. datetime.now(UTC).")
        return delay
    try:
        return parse_duration(delay, option="delay")
    except DefinitionError as error:
        raise TriggerOptionError("delay", delay, f"{error.what}. {error.remedy} Or give an aware datetime.") from None


def _check_key(key: object) -> str | None:
    if key is None or _is_text(key, _LONGEST_KEY):
        return str(key) if key is not None else None
    raise TriggerOptionError("idempotency_key", key, f"Use text of 1 to {_LONGEST_KEY} characters.")


def _check_attempts(attempts: object) -> int | None:
    if attempts is None:
        return None
    if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
        raise TriggerOptionError("max_attempts", attempts, "Use a whole number from 1; 1 means no retry.")
    return attempts


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= longest
