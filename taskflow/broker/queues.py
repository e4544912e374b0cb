"""Names and declarations of the Celery queues.

They are in one place, because RabbitMQ answers with 406 when one queue is declared in two ways.
"""

from dataclasses import dataclass, replace
from typing import Final

from kombu import Exchange, Queue

EXCHANGE_NAME: Final = "taskflow"
SUBTASKS: Final = "@"
"""Separates the name of a Celery queue from the code of a version, in the name of a subtask queue.

A subtask queue stands beside an ordinary Celery queue and carries the runs that other runs wait for, for example
``dev.small-1x.process@`` or ``dev.small-1x.process@<code>``. With a code (``store.operations.version_names``), only the
nodes of that code take from it: they have the version of the run that waits, and they have registered the task. Without
a code, nodes of any version take from it. No other queue name has this character.
"""
_UNUSED_MS: Final = 24 * 60 * 60 * 1000
"""Time for which RabbitMQ keeps a version's subtask queue after its last consumer has gone."""


@dataclass(frozen=True, slots=True)
class QueueName:
    """The parts of a Celery queue's name.

    Attributes:
        queue: The taskflow queue, None for the shared queue of a machine and executor.
        is_for_subtasks: Whether it carries runs that other runs wait for.
        code: The code of the nodes that take from it, "" when any node does.
    """

    environment: str
    machine: str
    executor: str
    queue: str | None = None
    is_for_subtasks: bool = False
    code: str = ""

    def __str__(self) -> str:
        shared = f"{self.environment}.{self.machine}.{self.executor}"
        ordinary = shared if self.queue is None else f"{shared}.{self.queue}"
        return f"{ordinary}{SUBTASKS}{self.code}" if self.is_for_subtasks else ordinary


def shared_queue(environment: str, machine: str, executor: str) -> str:
    """Name the Celery queue that all tasks of a machine and executor share."""
    return str(QueueName(environment, machine, executor))


def dedicated_queue(environment: str, machine: str, executor: str, queue: str) -> str:
    """Name the Celery queue of one taskflow queue on one machine and executor."""
    return str(QueueName(environment, machine, executor, queue))


def subtask_queue(name: str, code: str = "") -> str:
    """Name the subtask queue beside a Celery queue, for any node or for the nodes with this code."""
    return str(replace(parse_queue(name), is_for_subtasks=True, code=code))


def is_subtask_queue(name: str) -> bool:
    """Whether this Celery queue carries only runs that other runs wait for."""
    return SUBTASKS in name


def parse_queue(name: str) -> QueueName:
    """Split a Celery queue's name into its parts.

    Raises:
        ValueError: The name does not have the form ``<environment>.<machine>.<executor>[.<queue>][@[<code>]]``.
    """
    ordinary, _, code = name.partition(SUBTASKS)
    parts = ordinary.split(".", 3)  # only the last part, the queue's own name, may hold dots
    if len(parts) < 3 or not all(parts):
        raise ValueError(
            f"{name!r} is not a queue of taskflow. Expected <environment>.<machine>.<executor>[.<queue>], "
            "for example dev.small-1x.process."
        )
    queue = parts[3] if len(parts) > 3 else None
    return QueueName(parts[0], parts[1], parts[2], queue, is_subtask_queue(name), code)


def exchange_type(*, is_amqp: bool) -> str:
    """Return the type of the exchange ``taskflow``.

    RabbitMQ's native delayed delivery needs ``topic``. On Redis it is ``direct``, with which Celery pushes a message
    onto the queue's list. With ``topic`` kombu would look up a set for each message of a plain producer, and without
    that set (evicted, flushed, lost in a failover) the message would vanish without an error.
    """
    return "topic" if is_amqp else "direct"


def celery_queue(name: str, *, is_amqp: bool) -> Queue:
    """Return the declaration of a Celery queue, the same for workers and publishers.

    The subtask queue of a version does not outlive the version. RabbitMQ deletes it after a day without use. On Redis
    it is not declared, because kombu would keep the declaration for ever.

    Args:
        is_amqp: Whether the broker is RabbitMQ. The queue is a quorum queue then, so that it survives the loss of one
            of the broker's nodes.
    """
    is_of_version = bool(name.partition(SUBTASKS)[2])
    arguments: dict[str, object] = {"x-queue-type": "quorum"}
    if is_of_version:
        arguments["x-expires"] = _UNUSED_MS
    return Queue(
        name,
        exchange=Exchange(EXCHANGE_NAME, type=exchange_type(is_amqp=is_amqp), durable=True),
        routing_key=name,
        durable=True,
        queue_arguments=arguments if is_amqp else None,
        no_declare=is_of_version and not is_amqp,
    )
