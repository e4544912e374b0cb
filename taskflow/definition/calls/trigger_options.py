"""The options of one trigger, checked before anything is written."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypedDict, TypeGuard, Unpack, cast

from pydantic_core import to_json

from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.calls.idempotency import IdempotencyKey, scoped_key
from taskflow.definition.calls.misspelt import refuse_unknown
from taskflow.definition.documents.readable import unreadable, unreadable_value
from taskflow.definition.documents.unserialisable import find_non_finite, find_unserialisable
from taskflow.definition.machine import Machine
from taskflow.definition.queue import NAME_REMEDY, Queue, is_queue_name
from taskflow.definition.retry import MOST_ATTEMPTS
from taskflow.durations import Duration, check_instant, parse_duration
from taskflow.errors import DefinitionError, MetadataTooLargeError, TriggerOptionError
from taskflow.texts import text_fault

MOST_TAGS: Final = 10
LONGEST_TAG: Final = 128
TAG: Final = f"text of 1 to {LONGEST_TAG} characters without NUL and lone surrogates"
LARGEST_METADATA: Final = 256 * 1024
_LONGEST_CONCURRENCY_KEY: Final = 512
_LARGEST_PRIORITY: Final = (1 << 31) / 1000


class TriggerKeywords(TypedDict, total=False):
    """The options of ``Task.trigger``, which documents them."""

    queue: str | Queue | None
    concurrency_key: str | int | None
    machine: str | Machine | None
    delay: Duration | datetime | None
    ttl: Duration | None
    priority: timedelta | float | None
    tags: str | Sequence[str]
    metadata: Mapping[str, object] | None
    idempotency_key: str | IdempotencyKey | None
    idempotency_key_ttl: Duration | None
    max_attempts: int | None
    max_duration: Duration | None
    debounce: Debounce | None
    test: bool


class CommitKeywords(TriggerKeywords, total=False):
    """The options of the verbs that can wait for a database transaction: ``trigger``, not ``atrigger``."""

    on_commit: bool | str | None


@dataclass(frozen=True, slots=True)
class TriggerOptions:
    """The options by which a run differs from its task's declaration. Made by ``checked``.

    ``delay`` is a ``timedelta`` or an aware ``datetime`` once checked, ``metadata`` JSON, ``priority`` seconds.
    """

    queue: str | Queue | None = None
    concurrency_key: str | None = None
    machine: str | Machine | None = None
    delay: timedelta | datetime | None = None
    ttl: timedelta | None = None
    priority: float = 0.0
    tags: tuple[str, ...] = ()
    metadata: bytes = b""
    idempotency_key: IdempotencyKey | None = None
    idempotency_key_ttl: timedelta | None = None
    max_attempts: int | None = None
    max_duration: timedelta | None = None
    debounce: Debounce | None = None
    test: bool = False

    @classmethod
    def checked(cls, **options: Unpack[CommitKeywords]) -> "TriggerOptions":
        """Return the options as given to a verb.

        Raises:
            TriggerOptionError: One of them is not possible, or does not exist. The message names it, and what to write.
        """
        if not options:
            return _NONE
        refuse_unknown(options, CommitKeywords.__annotations__)
        refuse_waiting(options.get("on_commit"))
        test, debounce, delay = options.get("test", False), options.get("debounce"), options.get("delay")
        if not isinstance(test, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
            raise TriggerOptionError("test", test, "Use True or False.")
        if debounce is not None:
            _check_debounce(debounce, delay)
        return TriggerOptions(
            queue=_check_queue(options.get("queue")),
            concurrency_key=_check_concurrency_key(options.get("concurrency_key")),
            machine=_check_machine(options.get("machine")),
            delay=_check_delay(delay),
            ttl=_check_duration("ttl", options.get("ttl")),
            priority=_check_priority(options.get("priority")),
            tags=check_tags(options.get("tags", ())),
            metadata=check_metadata(options.get("metadata")),
            idempotency_key=_check_key(options.get("idempotency_key")),
            idempotency_key_ttl=_check_duration("idempotency_key_ttl", options.get("idempotency_key_ttl")),
            max_attempts=_check_attempts(options.get("max_attempts")),
            max_duration=_check_duration("max_duration", options.get("max_duration")),
            debounce=debounce,
            test=test,
        )


_NONE: Final = TriggerOptions()


def refuse_waiting(on_commit: object) -> None:
    """Refuse ``on_commit`` for a verb that cannot wait for a database transaction.

    Raises:
        TriggerOptionError: The option is given.
    """
    if on_commit is not None:
        raise TriggerOptionError(
            "on_commit",
            on_commit,
            "Only trigger and batch_trigger wait for a commit: no transaction spans an await, nor a wait for a run. "
            "Leave the option out.",
        )


def check_metadata(metadata: object) -> bytes:
    """Return metadata as JSON, b"" for none.

    Raises:
        TriggerOptionError: The metadata is not a JSON object.
        MetadataTooLargeError: It is larger than 256 KB.
    """
    if metadata is None:
        return b""
    if not isinstance(metadata, Mapping):
        raise TriggerOptionError("metadata", metadata, "Use a mapping of text to JSON values.")
    reason = find_unserialisable(metadata) or find_non_finite(metadata)  # pyright: ignore[reportUnknownArgumentType]
    if reason:
        raise TriggerOptionError("metadata", "...", f"{reason}, which JSON cannot carry.")
    document = to_json(metadata)
    if unreadable(document):
        reason = unreadable_value(cast("object", metadata))
        raise TriggerOptionError("metadata", "...", f"{reason}, which JSON cannot carry.")
    if len(document) > LARGEST_METADATA:
        raise MetadataTooLargeError(len(document), LARGEST_METADATA)
    return document


def check_tags(tags: str | Sequence[str]) -> tuple[str, ...]:
    """Return tags as a tuple, each one once.

    Raises:
        TriggerOptionError: There are more than 10, or one is not text of 1 to 128 characters.
    """
    given: object = (tags,) if isinstance(tags, str) else tags
    if not isinstance(given, list | tuple | set | frozenset):
        raise TriggerOptionError("tags", tags, 'Use text, or a list of texts: tags=["order", "eu"].')
    unique = tuple(dict.fromkeys(tag for tag in given if is_tag(tag)))
    if len(unique) > MOST_TAGS:
        raise TriggerOptionError("tags", tags, f"A run has at most {MOST_TAGS} tags.")
    if not all(map(is_tag, given)):
        raise TriggerOptionError("tags", tags, f"Each tag is {TAG}.")
    return unique


def check_due(delay: Duration | datetime) -> timedelta | datetime:
    """Return the delay of a run as a duration from now, or as an instant.

    Raises:
        TriggerOptionError: The value is neither a duration nor an aware instant.
    """
    due = _check_delay(delay)
    if due is None:
        raise TriggerOptionError("delay", delay, "Say when the run is to start, e.g. '5m'.")
    return due


def is_tag(tag: object) -> TypeGuard[str]:
    """Whether a value is text of 1 to 128 characters that every store can hold."""
    return _is_text(tag, LONGEST_TAG) and text_fault(tag) is None


def _check_queue(queue: str | Queue | None) -> str | Queue | None:
    name = queue.name if isinstance(queue, Queue) else queue
    if isinstance(queue, Queue) and name is None:
        raise TriggerOptionError("queue", queue, "Give the queue a name, or leave the option out.")
    if name is not None and not is_queue_name(name):
        raise TriggerOptionError("queue", queue, f"{NAME_REMEDY} in a queue's name.")
    return queue


def _check_machine(machine: object) -> str | Machine | None:
    if machine is None or isinstance(machine, str | Machine):
        return machine
    raise TriggerOptionError("machine", machine, 'Use a preset\'s name, "small-2x", or Machine(cpu=2, memory=4).')


def _check_delay(delay: Duration | datetime | None) -> timedelta | datetime | None:
    if isinstance(delay, datetime):
        return _check_instant("delay", delay)
    return _check_duration("delay", delay, " Or give an aware datetime.")


def _check_instant(option: str, value: datetime) -> datetime:
    try:
        return check_instant(value, option=option)
    except DefinitionError as error:
        raise TriggerOptionError(option, value, f"{error.what}. {error.remedy}") from None


def _check_duration(option: str, value: Duration | None, more: str = "") -> timedelta | None:
    if value is None:
        return None
    try:
        return parse_duration(value, option=option)
    except DefinitionError as error:
        raise TriggerOptionError(option, value, f"{error.what}. {error.remedy}{more}") from None


def _check_key(key: object) -> IdempotencyKey | None:
    if key is None:
        return None
    if isinstance(key, str | IdempotencyKey):
        return scoped_key(key)
    raise TriggerOptionError("idempotency_key", key, "Use text, or what idempotency_keys.create returns.")


def _check_concurrency_key(key: object) -> str | None:
    if key is None:
        return None
    is_number = isinstance(key, int) and not isinstance(key, bool) and int.bit_length(key) <= _LONGEST_CONCURRENCY_KEY
    text = str(key) if is_number else key
    fault = text_fault(text) if isinstance(text, str) else None
    if isinstance(text, str) and _is_text(text, _LONGEST_CONCURRENCY_KEY) and "\n" not in text and not fault:
        return text
    because = f"{fault[0].upper()}{fault[1:]}. " if fault else ""
    remedy = f"{because}Use text of 1 to {_LONGEST_CONCURRENCY_KEY} characters in one line, or a whole number."
    raise TriggerOptionError("concurrency_key", key, remedy)


def _check_priority(priority: object) -> float:
    if priority is None:
        return 0.0
    seconds = priority.total_seconds() if isinstance(priority, timedelta) else priority
    if (
        isinstance(seconds, int | float)
        and not isinstance(seconds, bool)
        and (
            isinstance(seconds, int) or math.isfinite(seconds)  # a large integer is no float
        )
    ):
        return float(max(-_LARGEST_PRIORITY, min(_LARGEST_PRIORITY, seconds)))
    raise TriggerOptionError("priority", priority, "Use a number of seconds, or a timedelta.")


def _check_debounce(debounce: object, delay: object) -> None:
    if not isinstance(debounce, Debounce):
        raise TriggerOptionError("debounce", debounce, 'Use Debounce("key", "5s").')
    if delay is not None:
        raise TriggerOptionError("delay", delay, "With debounce, its own delay counts: leave this one out.")


def _check_attempts(attempts: object) -> int | None:
    if attempts is None:
        return None
    if isinstance(attempts, bool) or not isinstance(attempts, int) or not 1 <= attempts <= MOST_ATTEMPTS:
        remedy = "Use a whole number from 1 to sys.maxsize; 1 means no retry."
        raise TriggerOptionError("max_attempts", attempts, remedy)
    return attempts


def _is_text(value: object, longest: int) -> TypeGuard[str]:
    return isinstance(value, str) and 1 <= len(value) <= longest
