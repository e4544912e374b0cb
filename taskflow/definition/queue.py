"""Queues: which runs share a limit."""

import re
from dataclasses import dataclass
from typing import Final

from taskflow.errors import DefinitionError

_NAME: Final = re.compile(r"[A-Za-z0-9_/-]{1,128}|task/[A-Za-z0-9_.:/-]{1,128}")
_LARGEST_LIMIT: Final = 100_000
NAME_REMEDY: Final = "Use 1 to 128 of the characters A-Z a-z 0-9 _ / -"


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue. Tasks that name the same one share its limit.

    Attributes:
        name: 1 to 128 of ``A-Z a-z 0-9 _ / -``. None is the task's own queue, ``task/<task id>``.
        concurrency_limit: How many of its runs execute at a time across all workers, 1 to 100,000. None: no limit.

    Raises:
        DefinitionError: The name or the limit is not possible.
    """

    name: str | None = None
    concurrency_limit: int | None = None

    def __post_init__(self) -> None:
        if self.name is not None and not is_queue_name(self.name):
            raise DefinitionError("That is not a queue name", option="name", value=self.name, remedy=f"{NAME_REMEDY}.")
        _check_limit(self.concurrency_limit)


def is_queue_name(name: object) -> bool:
    """Whether a value can name a queue. Tasks' own queues, ``task/<task id>``, also hold dots and colons."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def queue_of_task(task_id: str, queue: Queue | str | None) -> Queue:
    """Return the queue of a task, its name filled in.

    Raises:
        DefinitionError: A name that is not possible, or not a queue at all.
    """
    if queue is None or isinstance(queue, str):
        queue = Queue(queue)
    if not isinstance(queue, Queue):  # pyright: ignore[reportUnnecessaryIsInstance] - what callers without types send
        remedy = 'Use Queue("name", concurrency_limit=4), or just the name.'
        raise DefinitionError(f"Task {task_id!r} has no such queue", option="queue", value=queue, remedy=remedy)
    return queue if queue.name is not None else Queue(f"task/{task_id}", queue.concurrency_limit)


def _check_limit(limit: object) -> None:
    if limit is None:
        return
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _LARGEST_LIMIT:
        remedy = f"Give a whole number from 1 to {_LARGEST_LIMIT:,}, or leave it out for no limit."
        raise DefinitionError("That limit is not possible", option="concurrency_limit", value=limit, remedy=remedy)
