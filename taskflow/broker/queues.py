"""Names and declarations of the Celery queues, in one place: a queue declared in two ways is a 406 on RabbitMQ."""

from dataclasses import dataclass, replace
from typing import Final

from kombu import Exchange, Queue

EXCHANGE_NAME: Final = "taskflow"
SUBTASKS: Final = "@"
"""Follows a Celery queue's name in that of one beside it, for runs that others wait for. No queue's own name has it.

Behind it stands the code of the nodes that take from it (``store.version_names``): they are of the version of who waits
and know the run's task. Where nothing stands there, nodes of any version take from it.
"""
_UNUSED_MS: Final = 24 * 60 * 60 * 1000
"""How long RabbitMQ keeps the queue of a version that nobody runs any more."""


@dataclass(frozen=True, slots=True)
class QueueName:
    """A Celery queue's name, taken apart.

    Attributes:
        queue: None for the shared queue of a machine and executor.
        is_for_subtasks: It carries runs that others wait for.
        code: Of the nodes that take from it, "" for any.
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
    """Name the Celery queue beside another for runs that others wait for: on any node, or those with that code."""
    return str(replace(parse_queue(name), is_for_subtasks=True, code=code))


def is_subtask_queue(name: str) -> bool:
    """Whether runs that others wait for have this Celery queue for themselves."""
    return SUBTASKS in name


def parse_queue(name: str) -> QueueName:
    """Take a Celery queue's name apart.

    Raises:
        ValueError: It has not the form ``<environment>.<machine>.<executor>[.<queue>][@[<code>]]``.
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

    RabbitMQ's native delayed delivery needs ``topic``. On Redis a topic is looked up in a set for each message a plain
    producer sends, and without that set (evicted, flushed, lost in a failover) the message vanishes without an error;
    with ``direct`` Celery pushes it onto the queue's list.
    """
    return "topic" if is_amqp else "direct"


def celery_queue(name: str, *, is_amqp: bool) -> Queue:
    """Declare a Celery queue the way workers and publishers both do.

    A version's queue goes away with it: from RabbitMQ after a day; on Redis it is a list that nobody declares, for
    kombu would keep the declaration for ever.

    Args:
        is_amqp: The broker is RabbitMQ; the queue is a quorum queue then, so that it survives the loss of a node.
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
