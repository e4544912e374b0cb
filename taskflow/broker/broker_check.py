"""The check that RabbitMQ lets workers and producers do what they do. Without it, runs would stay QUEUED.

Rights are tried on a queue of its own, which nobody else can use and which ends with the connection. An existing queue
is declared once more as workers declare it, which changes nothing. Queues that do not exist are not made.
"""

import secrets
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from amqp.exceptions import AccessRefused, AMQPError, NotAllowed, NotFound, PreconditionFailed
from celery import Celery
from kombu import Connection, Exchange, Producer, Queue
from kombu.exceptions import KombuError

from taskflow.broker.queues import (
    EXCHANGE_NAME,
    celery_queue,
    dedicated_queue,
    exchange_type,
    shared_queue,
    subtask_queue,
)
from taskflow.broker.urls import is_amqp, without_password
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import TaskflowError

_BODY: Final = "{}"
AWAY: Final = (OSError, AMQPError, KombuError)
"""Errors of a broker that does not answer."""


class BrokerRefusesError(TaskflowError):
    """RabbitMQ refuses what workers and producers need. The message has the command that mends it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)


def queues_of(environment: str, tasks: Iterable[TaskDefinition]) -> set[str]:
    """Return the Celery queues that workers may consume for these tasks, without those of single versions."""
    queues: set[str] = set()
    for task in tasks:
        of_class = (environment, task.machine.name, task.executor)
        queues.add(shared_queue(*of_class))
        if task.queue.concurrency_limit is not None:
            queues.add(dedicated_queue(*of_class, task.queue_name))
    return queues | {subtask_queue(name) for name in queues}


def check_broker(celery: Celery, queues: Iterable[str], *, timeout: float) -> None:
    """Connect to the broker, and try on RabbitMQ what workers and producers do with these Celery queues.

    Raises:
        BrokerRefusesError: A right is missing, or a queue exists with other arguments.
        KombuError, OSError, AMQPError: The broker does not answer.
    """
    url = str(celery.conf.broker_write_url)
    options = {"max_retries": 1, "read_timeout": timeout, "write_timeout": timeout} if is_amqp(url) else {}
    with celery.connection_for_write(connect_timeout=timeout, transport_options=options) as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0)
        except (AccessRefused, NotAllowed) as refused:
            raise BrokerRefusesError(
                f"RabbitMQ {without_password(url)} refuses this user or virtual host: {refused}. Check "
                f"TASKFLOW_BROKER_URL, or allow it: {_permissions(url)}"
            ) from refused
        if is_amqp(url):
            names = sorted(queues)
            _try_rights(connection, url, names)
            for name in names:
                _try_declaration(connection, url, name)


def _try_rights(connection: Connection, url: str, names: list[str]) -> None:
    """Do with a queue of its own all that workers and producers do with theirs."""
    for name in names or ["taskflow"]:
        probe, done = f"{name}@doctor-{secrets.token_hex(4)}", "declare the exchange 'taskflow' (configure)"
        try:
            with connection.channel() as opened:
                channel: Any = opened
                exchange = Exchange(EXCHANGE_NAME, type=exchange_type(is_amqp=True), durable=True)
                exchange.declare(channel=channel)
                done = f"declare queues such as {name!r} (configure)"
                channel.queue_declare(queue=probe, exclusive=True, auto_delete=True)
                done = f"bind queues such as {name!r} to the exchange (write and read)"
                channel.queue_bind(queue=probe, exchange=EXCHANGE_NAME, routing_key=probe)
                done = f"read from queues such as {name!r} (read)"
                channel.basic_get(queue=probe, no_ack=True)
                done = "publish to the exchange 'taskflow' (write)"
                publish: Any = Producer(channel, auto_declare=False).publish
                publish(_BODY, exchange=EXCHANGE_NAME, routing_key=f"{probe}-nowhere", confirm_timeout=10)
                channel.queue_delete(queue=probe)
        except AccessRefused as refused:
            raise BrokerRefusesError(
                f"RabbitMQ does not let user {_user(url)!r} {done}, so that runs stay QUEUED: {refused}. Allow it: "
                f"{_permissions(url)}"
            ) from refused
        except PreconditionFailed as refused:
            raise BrokerRefusesError(
                f"RabbitMQ has an exchange {EXCHANGE_NAME!r} of another kind: {refused}. Delete it, the next worker "
                f"makes it anew: rabbitmqadmin --vhost={_vhost(url)} delete exchange name={EXCHANGE_NAME}"
            ) from refused


def _try_declaration(connection: Connection, url: str, name: str) -> None:
    """Declare an existing queue as workers do."""
    try:
        with connection.channel() as opened:
            channel: Any = opened
            channel.queue_declare(queue=name, passive=True)
    except NotFound:
        return
    except AccessRefused:  # of a passive declaration: the one below says more
        pass
    queue: Queue = celery_queue(name, is_amqp=True)
    try:
        with connection.channel() as opened:
            queue(opened).declare()
    except PreconditionFailed as refused:
        raise BrokerRefusesError(
            f"RabbitMQ has a queue {name!r} with other arguments than workers declare, so that tickets for it are "
            f"refused and its runs stay QUEUED: {refused}. Delete it, the next worker or trigger makes it anew (what "
            f"it holds is lost; upkeep publishes tickets again): rabbitmqctl delete_queue --vhost {_vhost(url)} {name}"
        ) from refused
    except AccessRefused as refused:
        raise BrokerRefusesError(
            f"RabbitMQ does not let user {_user(url)!r} declare the queue {name!r} (configure), so that its runs stay "
            f"QUEUED: {refused}. Allow it: {_permissions(url)}"
        ) from refused


def _permissions(url: str) -> str:
    return f"rabbitmqctl set_permissions -p {_vhost(url)} {_user(url)} '.*' '.*' '.*'"


def _user(url: str) -> str:
    return unquote(urlsplit(url).username or "guest")


def _vhost(url: str) -> str:
    return unquote(urlsplit(url).path[1:]) or "/"
