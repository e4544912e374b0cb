"""Names and declarations of the Celery queues, in one place: a queue declared in two ways is a 406 on RabbitMQ."""

from dataclasses import dataclass
from typing import Final

from kombu import Exchange, Queue

EXCHANGE_NAME: Final = "taskflow"


@dataclass(frozen=True, slots=True)
class QueueName:
    """A Celery queue's name, taken apart. ``queue`` is None for the shared queue of a machine and executor."""

    environment: str
    machine: str
    executor: str
    queue: str | None = None

    def __str__(self) -> str:
        shared = f"{self.environment}.{self.machine}.{self.executor}"
        return shared if self.queue is None else f"{shared}.{self.queue}"


def shared_queue(environment: str, machine: str, executor: str) -> str:
    """Name the Celery queue that all tasks of a machine and executor share."""
    return str(QueueName(environment, machine, executor))


def dedicated_queue(environment: str, machine: str, executor: str, queue: str) -> str:
    """Name the Celery queue of one taskflow queue on one machine and executor."""
    return str(QueueName(environment, machine, executor, queue))


def parse_queue(name: str) -> QueueName:
    """Take a Celery queue's name apart.

    Raises:
        ValueError: It has not the form ``<environment>.<machine>.<executor>[.<queue>]``.
    """
    parts = name.split(".", 3)  # only the last part, the queue's own name, may hold dots
    if len(parts) < 3 or not all(parts):
        raise ValueError(
            f"{name!r} is not a queue of taskflow. Expected <environment>.<machine>.<executor>[.<queue>], "
            "for example dev.small-1x.process."
        )
    return QueueName(*parts)


def exchange_type(*, is_amqp: bool) -> str:
    """Return the type of the exchange ``taskflow``.

    RabbitMQ's native delayed delivery needs ``topic``. On Redis a topic is looked up in a set for each message a plain
    producer sends, and without that set (evicted, flushed, lost in a failover) the message vanishes without an error;
    with ``direct`` Celery pushes it onto the queue's list.
    """
    return "topic" if is_amqp else "direct"


def celery_queue(name: str, *, is_amqp: bool) -> Queue:
    """Declare a Celery queue the way workers and publishers both do.

    Args:
        is_amqp: The broker is RabbitMQ; the queue is a quorum queue then, so that it survives the loss of a node.
    """
    return Queue(
        name,
        exchange=Exchange(EXCHANGE_NAME, type=exchange_type(is_amqp=is_amqp), durable=True),
        routing_key=name,
        durable=True,
        queue_arguments={"x-queue-type": "quorum"} if is_amqp else None,
    )
