"""Queues, whose runs share limits."""

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from taskflow.durations import parse_duration
from taskflow.errors import DefinitionError
from taskflow.texts import is_encodable

_NAME: Final = re.compile(r"[A-Za-z0-9_/-]{1,128}|task/[A-Za-z0-9_.:/-]{1,128}")
_RATE: Final = re.compile(r"(?P<count>[0-9]{1,6})/(?P<number>[0-9]{1,6})?(?P<unit>[smhd])")
LONGEST_REASON: Final = 500
_LARGEST_LIMIT: Final = 100_000
NAME_REMEDY: Final = "Use 1 to 128 of the characters A-Z a-z 0-9 _ / -"


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """A queue's limits in numbers. None: not limited. ``rate_count`` runs may start in ``rate_period``."""

    concurrency: int | None = None
    per_key: int | None = None
    total: int | None = None
    rate_count: int | None = None
    rate_period: timedelta | None = None

    @property
    def are_none(self) -> bool:
        """Whether the queue has no limit at all."""
        return self == NO_LIMITS


NO_LIMITS: Final = QueueLimits()


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue. Tasks that name the same one share its limit.

    Attributes:
        name: 1 to 128 of ``A-Z a-z 0-9 _ / -``. None is the task's own queue, ``task/<task id>``.
        concurrency_limit: Most of its runs that execute at a time across all workers, 1 to 100,000; of runs with a
            concurrency key, most of each key. None: not limited.
        per_key_limit: Most of each concurrency key instead.
        total_limit: Most over all keys together.
        rate_limit: Most that may start in a period, e.g. ``"10/m"`` or ``"100/15m"``: a token bucket that holds as
            many (GCRA, ITU-T I.371), one for runs without a key and one for each key.
        limits: The limits in numbers, for the store. Made of the others.

    Raises:
        DefinitionError: The name or a limit is not possible.
    """

    name: str | None = None
    concurrency_limit: int | None = None
    per_key_limit: int | None = None
    total_limit: int | None = None
    rate_limit: str | None = None
    limits: QueueLimits = field(default=NO_LIMITS, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.name is not None and not is_queue_name(self.name):
            raise DefinitionError("That is not a queue name", option="name", value=self.name, remedy=f"{NAME_REMEDY}.")
        for option in ("concurrency_limit", "per_key_limit", "total_limit"):
            _check_limit(option, getattr(self, option))
        limits = QueueLimits(self.concurrency_limit, self.per_key_limit, self.total_limit, *parse_rate(self.rate_limit))
        if limits != NO_LIMITS:
            object.__setattr__(self, "limits", limits)


def is_queue_name(name: object) -> bool:
    """Whether a value can name a queue. Tasks' own queues, ``task/<task id>``, also hold dots and colons."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def queue_of_task(task_id: str, queue: Queue | str | None) -> Queue:
    """Return the queue of a task, with its name filled in.

    Raises:
        DefinitionError: The name is not possible, or the value is not a queue.
    """
    if queue is None or isinstance(queue, str):
        queue = Queue(queue)
    if not isinstance(queue, Queue):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
        remedy = 'Use Queue("name", concurrency_limit=4), or just the name.'
        raise DefinitionError(f"Task {task_id!r} has no such queue", option="queue", value=queue, remedy=remedy)
    return queue if queue.name is not None else replace(queue, name=f"task/{task_id}")


def parse_rate(rate: object) -> tuple[int, timedelta] | tuple[None, None]:
    """Return a rate limit as (count, period).

    Raises:
        DefinitionError: Not ``"<count>/<period>"``.
    """
    if rate is None:
        return None, None
    match = _RATE.fullmatch(rate) if isinstance(rate, str) else None
    if match and 1 <= int(match["count"]) <= _LARGEST_LIMIT:
        period = parse_duration(f"{match['number'] or 1}{match['unit']}", option="rate_limit")
        if period:
            return int(match["count"]), period
    remedy = 'Write how many starts in what period: "10/s", "10/m", "1000/h", "100/15m".'
    raise DefinitionError("That is not a rate", option="rate_limit", value=rate, remedy=remedy)


def _check_limit(option: str, limit: object) -> None:
    if limit is not None:
        check_limit(option, limit)


def check_reason(reason: object) -> str:
    """Return the reason of a pause after a check, without the space around it.

    Raises:
        DefinitionError: Not a text that can be stored, or longer than 500 characters.
    """
    if not isinstance(reason, str) or not is_encodable(reason) or len(reason) > LONGEST_REASON:
        remedy = f"Give a text of at most {LONGEST_REASON} characters."
        raise DefinitionError("That reason is not possible", option="reason", value=reason, remedy=remedy)
    return " ".join(reason.split())


def check_limit(option: str, limit: object) -> int:
    """Return a limit after a check of its range.

    Raises:
        DefinitionError: Not a whole number from 1 to 100,000.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _LARGEST_LIMIT:
        remedy = f"Give a whole number from 1 to {_LARGEST_LIMIT:,}, or leave it out for no limit."
        raise DefinitionError("That limit is not possible", option=option, value=limit, remedy=remedy)
    return limit
