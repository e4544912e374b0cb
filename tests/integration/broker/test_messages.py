"""The ticket's message, as scripts push it and as kombu sends it."""

import json
from pathlib import Path

from celery import Celery

from taskflow.broker.messages import BODY, ReceivedTicket, ticket_from_headers, ticket_template
from tests.integration.broker.conftest import QUEUE, MakePublisher, StartWorker, a_celery, tickets
from tests.support.processes import tail
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


def fill_in(template: str, run_id: str, reservation: int, arguments: str) -> str:
    """Do what the store's scripts do."""
    for token, value in {
        "@RUN@": run_id,
        "@RESERVATION@": str(reservation),
        "@QUEUE@": QUEUE,
        "@TAG@": f"{run_id}:{reservation}",
        "@ARGS@": json.dumps(arguments),
    }.items():
        template = template.replace(token, value)
    return template


def a_message(celery: Celery, run_id: str = "run_0", reservation: int = 1, arguments: str = '{"message": "hi"}') -> str:
    """Make a message from the template."""
    return fill_in(ticket_template(celery, "hello-world"), run_id, reservation, arguments)


def test_a_ticket_is_small_and_says_which_run_under_which_reservation() -> None:
    """The store holds one for each queued run."""
    text = a_message(a_celery("redis://h"), "run_" + "x" * 26, 12, '{"message": "quote \\" and ünïcode"}')
    assert len(text) < 700
    message = json.loads(text)
    assert "@" not in text
    assert ticket_from_headers(message["headers"]) == ReceivedTicket("run_" + "x" * 26, 12)
    assert message["headers"]["argsrepr"] == '{"message": "quote \\" and ünïcode"}'
    assert json.loads(message["body"]) == [[], {}, {}]


def test_a_message_of_a_plain_producer_is_no_ticket() -> None:
    """It is adopted as a new run instead."""
    assert ticket_from_headers(None) is None
    assert ticket_from_headers({"id": "1", "task": "hello-world"}) is None
    assert ticket_from_headers({"id": "1", "taskflow": "something"}) is None
    assert ticket_from_headers({"id": "1", "taskflow": {"reservation": "1"}}) is None


def test_kombu_publishes_the_same_message_as_the_scripts(store_server: RedisServer, publisher: MakePublisher) -> None:
    """A worker must not need to know which way a ticket came."""
    celery = a_celery(store_server.url)
    publisher(celery).publish(tickets(1))
    client = store_server.client()
    sent = json.loads(client.execute_command("LINDEX", QUEUE, 0))
    client.close()
    scripted = json.loads(a_message(celery))
    assert sent["headers"] == scripted["headers"]
    routing_key = (
        "routing_key"  # the exchange differs: kombu publishes straight to the list on Redis, see publishing.py
    )
    assert sent["properties"]["delivery_info"][routing_key] == scripted["properties"]["delivery_info"][routing_key]
    assert sent["properties"]["correlation_id"] == scripted["properties"]["correlation_id"]
    assert (sent["content-type"], sent["content-encoding"]) == (scripted["content-type"], scripted["content-encoding"])
    assert scripted["body"] == BODY


def test_an_unmodified_celery_worker_runs_both(
    redis7: RedisServer, start_worker: StartWorker, publisher: MakePublisher, tmp_path: Path
) -> None:
    """The message is Celery's own protocol: nothing in the worker, its tracer or kombu needs taskflow."""
    celery = a_celery(redis7.url)
    client = redis7.client()
    client.execute_command("LPUSH", QUEUE, a_message(celery, "run_scripted", 7))
    publisher(celery).publish(tickets(1))
    start_worker("stock_worker", redis7.url, "-P", "prefork", "-c", "1", "-Q", QUEUE, "-E", "-l", "INFO")
    log = tmp_path / "worker.log"
    wait_until(lambda: client.execute_command("LLEN", "done") == 2, f"two runs; {log}", timeout=25)
    done = [json.loads(text) for text in client.execute_command("LRANGE", "done", 0, -1)]
    client.close()
    assert done == [
        {"id": "run_scripted", "root_id": "run_scripted", "args": [], "header": {"reservation": 7}},
        {"id": "run_0", "root_id": "run_0", "args": [], "header": {"reservation": 1}},
    ]
    assert "Traceback" not in tail(log, 1000)
