"""Publishing through kombu, to Redis, Valkey and RabbitMQ."""

import json
import multiprocessing
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import pytest
from celery import Celery
from kombu import Queue

from taskflow.broker.messages import ticket_from_headers
from taskflow.broker.publishing import KombuPublisher
from taskflow.errors import BrokerUnavailableError
from tests.integration.broker.conftest import QUEUE, MakePublisher, StartWorker, a_celery, tickets
from tests.support.measured_time import measured_unit
from tests.support.processes import tail
from tests.support.servers import RabbitServer, RedisServer, Server
from tests.support.waiting import beside, wait_until

DEDICATED = "dev.small-1x.process.task/reports.daily"


def take_all(celery: Celery, queue: str = QUEUE) -> list[Any]:
    """Take all waiting messages, in order."""
    taken: list[Any] = []
    with celery.connection_for_read() as connection, connection.channel() as channel:
        consumed = celery.amqp.queues[queue](channel)
        consumed.declare()
        while (message := consumed.get(no_ack=True)) is not None:
            taken.append(message)
    return taken


def ids(messages: list[Any]) -> list[str]:
    """Return the run ids."""
    return [message.headers["id"] for message in messages]


def queue_in(rabbitmq: RabbitServer, name: str = QUEUE) -> dict[str, Any]:
    """Return RabbitMQ's record of a queue."""
    return cast("dict[str, Any]", rabbitmq.api("GET", f"queues/{rabbitmq.vhost}/{quote(name, safe='')}"))


def test_tickets_arrive_in_order_and_are_counted(broker_server: Server, publisher: MakePublisher) -> None:
    """First triggered, first started; upkeep compares the count with the reservations."""
    celery = a_celery(broker_server.url)
    ours = publisher(celery)
    for queue in (QUEUE, DEDICATED):
        ours.publish(tickets(3, queue))
        assert ours.queue_length(queue) == 3
        taken = take_all(celery, queue)
        assert ids(taken) == ["run_0", "run_1", "run_2"]
        ticket = ticket_from_headers(taken[1].headers)
        assert ticket is not None
        assert (ticket.run_id, ticket.reservation, taken[1].payload) == ("run_1", 2, [[], {}, {}])


def test_messages_of_all_priorities_are_counted(redis7: RedisServer, publisher: MakePublisher) -> None:
    """kombu keeps a list for each priority step. Counting the first alone would show an empty queue."""
    celery = a_celery(redis7.url)
    celery.send_task("hello-world", priority=9)
    celery.send_task("hello-world", priority=0)
    assert publisher(celery).queue_length(QUEUE) == 2


def test_a_queue_nobody_declared_has_no_length(broker_server: Server, publisher: MakePublisher) -> None:
    """RabbitMQ has no such queue; on Redis it is empty. The publisher works on after either answer."""
    ours = publisher(a_celery(broker_server.url))
    assert ours.queue_length("dev.large-1x.async") == (None if isinstance(broker_server, RabbitServer) else 0)
    ours.publish(tickets(1))
    assert ours.queue_length(QUEUE) == 1


def test_a_plain_producer_reaches_the_tasks_shared_queue(broker_server: Server) -> None:
    """``send_task`` by id only: the route knows the queue, and declares it."""
    celery = a_celery(broker_server.url)
    sent = celery.send_task("hello-world", args=[{"message": "hi"}])
    taken = take_all(celery)
    assert ids(taken) == [sent.id]
    assert taken[0].payload[0] == [{"message": "hi"}]
    assert ticket_from_headers(taken[0].headers) is None


@pytest.mark.parametrize("first", ["worker", "publisher"])
def test_workers_and_publishers_declare_a_queue_alike(
    rabbitmq: RabbitServer, publisher: MakePublisher, first: str
) -> None:
    """RabbitMQ refuses a second, different declaration with 406, which ends the consumer."""
    celery = a_celery(rabbitmq.url)
    if first == "publisher":
        publisher(celery).publish(tickets(1, DEDICATED))
    worker = a_celery(rabbitmq.url)
    worker.amqp.queues.select([DEDICATED])  # as `-Q` does
    with worker.connection_for_read() as connection, worker.amqp.TaskConsumer(connection.default_channel):
        publisher(celery).publish(tickets(1, DEDICATED))
    declared = queue_in(rabbitmq, DEDICATED)
    assert (declared["type"], declared["durable"], declared["auto_delete"]) == ("quorum", True, False)
    bindings: Any = rabbitmq.api("GET", f"exchanges/{rabbitmq.vhost}/taskflow/bindings/source")
    assert [(binding["destination"], binding["routing_key"]) for binding in bindings] == [(DEDICATED, DEDICATED)]


def test_a_worker_on_rabbitmq_runs_tickets(
    rabbitmq: RabbitServer, redis7: RedisServer, publisher: MakePublisher, start_worker: StartWorker, tmp_path: Path
) -> None:
    """Quorum queues change how Celery sets its prefetch count and starts its delayed delivery."""
    publisher(a_celery(rabbitmq.url)).publish(tickets(10))
    start_worker("batch_worker", rabbitmq.url, "-P", "prefork", "-c", "2", "-Q", QUEUE, "-l", "INFO", done=redis7.url)
    client = redis7.client()
    log = tmp_path / "worker.log"
    wait_until(lambda: client.execute_command("LLEN", "done") == 10, f"10 runs; {log}", timeout=25)
    client.close()
    assert "ERROR" not in tail(log, 1000)


def test_a_ticket_whose_queue_was_deleted_meanwhile_is_not_lost(
    rabbitmq: RabbitServer, publisher: MakePublisher
) -> None:
    """RabbitMQ confirms an unroutable message too. `mandatory` returns it, and it is sent again."""
    celery = a_celery(rabbitmq.url)
    ours = publisher(celery)
    ours.publish(tickets(1))
    rabbitmq.api("DELETE", f"queues/{rabbitmq.vhost}/{QUEUE}")
    ours.publish(tickets(3))
    assert ids(take_all(celery)) == ["run_0", "run_1", "run_2"]


def let_no_queue_grow(rabbitmq: RabbitServer) -> None:
    """Limit the queues so that RabbitMQ refuses messages."""
    policy = {"pattern": ".*", "apply-to": "queues", "definition": {"max-length": 1, "overflow": "reject-publish"}}
    rabbitmq.api("PUT", f"policies/{rabbitmq.vhost}/full", policy)


def test_a_refused_ticket_is_an_error(rabbitmq: RabbitServer, publisher: MakePublisher) -> None:
    """A full queue answers with a nack, so the caller must not assume that the ticket was published."""
    let_no_queue_grow(rabbitmq)
    with pytest.raises(BrokerUnavailableError, match=r"of 20 tickets were not published. MessageNacked"):
        publisher(a_celery(rabbitmq.url), timeout=timedelta(seconds=0.5)).publish(tickets(20))


def test_a_ticket_that_is_refused_for_a_moment_is_sent_again(rabbitmq: RabbitServer, publisher: MakePublisher) -> None:
    """A quorum queue without a leader refuses it, because another client is declaring the queue."""
    let_no_queue_grow(rabbitmq)
    celery = a_celery(rabbitmq.url)
    taken: list[str] = []
    with beside(lambda: taken.extend(ids(take_all(celery))), 0.05):
        publisher(celery).publish(tickets(20))
    taken += ids(take_all(celery))
    assert taken == [f"run_{number}" for number in range(20)]


def test_a_queue_declared_otherwise_is_an_error_that_says_so(rabbitmq: RabbitServer, publisher: MakePublisher) -> None:
    """A person made it by hand as a classic queue. No retry helps, so the message must show the difference."""
    celery = a_celery(rabbitmq.url)
    with celery.connection_for_write() as connection:
        Queue(QUEUE, durable=True)(connection.default_channel).declare()
    with pytest.raises(BrokerUnavailableError, match="x-queue-type"):
        publisher(celery).publish(tickets(1))


def test_a_lost_connection_is_replaced_once(rabbitmq: RabbitServer, publisher: MakePublisher) -> None:
    """The restart of a broker or a firewall closes idle connections. The caller must not notice it."""
    celery = a_celery(rabbitmq.url)
    ours = publisher(celery)
    ours.publish(tickets(1))

    def connections() -> list[dict[str, Any]]:
        return cast("list[dict[str, Any]]", rabbitmq.api("GET", f"vhosts/{rabbitmq.vhost}/connections"))

    for connection in wait_until(connections, "RabbitMQ to list the connection"):
        rabbitmq.api("DELETE", f"connections/{quote(connection['name'], safe='')}")
    ours.publish(tickets(3)[1:])
    assert ids(take_all(celery)) == ["run_0", "run_1", "run_2"]


def test_a_restarted_redis_is_connected_to_again(start_redis7: Any, publisher: MakePublisher) -> None:
    """As with RabbitMQ, the first publication after it succeeds."""
    server: RedisServer = start_redis7(appendfsync="always")
    ours = publisher(a_celery(server.url))
    ours.publish(tickets(1))
    server.restart()
    ours.publish(tickets(2)[1:])
    assert ours.queue_length(QUEUE) == 2


def test_a_broker_that_is_gone_is_an_error_at_once(start_redis7: Any, publisher: MakePublisher) -> None:
    """A trigger must not hang because of it: its run exists and upkeep publishes the ticket."""
    server: RedisServer = start_redis7()
    ours = publisher(a_celery(server.url))
    server.kill()
    started = time.monotonic()
    with measured_unit() as unit:
        with pytest.raises(BrokerUnavailableError, match="2 of 2 tickets were not published"):
            ours.publish(tickets(2))
        with pytest.raises(BrokerUnavailableError, match=f"the length of {QUEUE} is unknown"):
            ours.queue_length(QUEUE)
        took = time.monotonic() - started
    assert took < unit.times(40)


def test_a_broker_that_hangs_is_an_error_in_bounded_time(start_redis7: Any, publisher: MakePublisher) -> None:
    """Only the clock shows a stopped process or a dead network."""
    server: RedisServer = start_redis7()
    ours = publisher(a_celery(server.url), timeout=timedelta(seconds=0.3))
    ours.publish(tickets(1))
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    with measured_unit() as unit:
        with pytest.raises(BrokerUnavailableError):
            ours.publish(tickets(1))
        took = time.monotonic() - started
    assert took < 4 * 0.3 + unit.times(10)
    server.process.send_signal(signal.SIGCONT)


def test_a_password_is_not_in_the_error(publisher: MakePublisher) -> None:
    """Errors are logged."""
    with pytest.raises(BrokerUnavailableError) as refused:
        publisher(a_celery("redis://user:secret@127.0.0.1:1")).publish(tickets(1))
    assert "secret" not in str(refused.value)


def test_threads_share_a_publisher(broker_server: Server, publisher: MakePublisher) -> None:
    """The threads of a web server share one."""
    celery = a_celery(broker_server.url)
    ours = publisher(celery)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ours.publish, [tickets(5)] * 16))
    assert Counter(ids(take_all(celery))) == {f"run_{n}": 16 for n in range(5)}


def test_parent_and_forked_child_both_publish(broker_server: Server, publisher: MakePublisher) -> None:
    """Gunicorn with preload and prefork workers fork: the child must neither use nor close its parent's connections."""
    celery = a_celery(broker_server.url)
    ours = publisher(celery)
    ours.publish(tickets(1))
    child = multiprocessing.get_context("fork").Process(target=_publish_and_close, args=(ours,))
    child.start()
    child.join(15)
    assert child.exitcode == 0
    ours.publish(tickets(3)[2:])
    assert ids(take_all(celery)) == ["run_0", "run_1", "run_2"]


def _publish_and_close(publisher: KombuPublisher) -> None:
    publisher.publish(tickets(2)[1:])
    publisher.close()


def test_the_message_shows_flower_only_what_it_was_given(redis7: RedisServer, publisher: MakePublisher) -> None:
    """The payload itself stays in the store."""
    publisher(a_celery(redis7.url)).publish(tickets(1))
    client = redis7.client()
    message = json.loads(client.execute_command("LINDEX", QUEUE, 0))
    client.close()
    assert message["headers"]["argsrepr"] == '{"message": "hi"}'
