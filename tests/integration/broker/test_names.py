"""Names of queues and addresses of brokers. These tests connect to no server."""

import logging
from dataclasses import replace

import pytest
from kombu.connection import Connection
from kombu.transport.redis import Transport as KombuTransport

from taskflow.broker.celery_app import prepare_worker
from taskflow.broker.log_filter import hide_payload_values
from taskflow.broker.queues import QueueName, celery_queue, dedicated_queue, parse_queue, shared_queue, subtask_queue
from taskflow.broker.redis_transport import Transport
from taskflow.broker.same_server import is_same_server
from taskflow.broker.urls import batch_url, kombu_url, redis_address, without_password
from taskflow.store.operations.version_names import code_name
from tests.integration.broker.conftest import QUEUE, a_celery


def test_a_queue_name_is_read_as_it_was_made() -> None:
    """Only the last part may hold dots, because a task's default queue is named by the task's id."""
    assert parse_queue(shared_queue("dev", "small-1x", "async")) == QueueName("dev", "small-1x", "async")
    name = dedicated_queue("dev", "small-1x", "process", "task/reports.daily")
    assert parse_queue(name) == QueueName("dev", "small-1x", "process", "task/reports.daily")
    assert str(parse_queue(name)) == name
    assert parse_queue(subtask_queue(name)) == QueueName("dev", "small-1x", "process", "task/reports.daily", True)
    assert str(parse_queue(subtask_queue(name))) == subtask_queue(name) == f"{name}@"
    of_version = subtask_queue(name, code_name("1.2@3", ["t"]))
    assert parse_queue(of_version) == replace(parse_queue(subtask_queue(name)), code=code_name("1.2@3", ["t"]))
    assert str(parse_queue(of_version)) == of_version
    for wrong in ("celery", "dev.small-1x", "dev..process", "dev.small-1x.process."):
        with pytest.raises(ValueError, match="is not a queue of taskflow"):
            parse_queue(wrong)


def test_a_queue_made_by_name_is_declared_as_ours() -> None:
    """``-Q``, ``queue=`` and add_consumer make queues by name, and RabbitMQ refuses a second, different declaration."""
    for url, is_amqp in (("redis://localhost", False), ("amqp://localhost", True)):
        queues = a_celery(url).amqp.queues
        queues.select(["dev.small-2x.async"])
        queues.select_add("dev.small-2x.process", exchange="other", exchange_type="direct")  # type: ignore[arg-type]
        assert list(queues.consume_from.values()) == [
            celery_queue("dev.small-2x.async", is_amqp=is_amqp),
            celery_queue("dev.small-2x.process", is_amqp=is_amqp),
        ]
        assert queues["dev.large-1x.process.a"] == celery_queue("dev.large-1x.process.a", is_amqp=is_amqp)
    assert celery_queue(QUEUE, is_amqp=True).queue_arguments == {"x-queue-type": "quorum"}
    assert celery_queue(QUEUE, is_amqp=True).exchange.type == "topic"


def test_the_queue_of_a_version_goes_away_with_it() -> None:
    """Each deploy has one, and kombu keeps for ever all that it stores of a queue on Redis."""
    of_version = subtask_queue(QUEUE, code_name("1", ["t"]))
    assert celery_queue(of_version, is_amqp=True).queue_arguments == {
        "x-queue-type": "quorum",
        "x-expires": 86_400_000,
    }
    declarations = [vars(celery_queue(name, is_amqp=False)) for name in (QUEUE, subtask_queue(QUEUE), of_version)]
    assert [queue["no_declare"] for queue in declarations] == [False, False, True]


def test_a_worker_without_queues_consumes_the_default_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """``celery -A workers worker`` must consume a useful queue, and CELERY_BROKER_URL must not change its broker."""
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://elsewhere")
    celery = a_celery("redis://here:1234")
    assert list(celery.amqp.queues.consume_from) == [QUEUE]
    assert celery.connection_for_write().hostname == celery.connection_for_read().hostname == "here"


@pytest.mark.parametrize(
    "url, expected",
    [
        ("redis://localhost", "redis://localhost/0"),
        ("redis://:p%40ss@h:1/?db=3", "redis://:p%40ss@h:1/3"),
        ("valkey://h/2", "redis://h/2"),
        ("rediss://h", "rediss://h/0?ssl_cert_reqs=required"),
        ("valkeys://h/1?ssl_cert_reqs=none", "rediss://h/1?ssl_cert_reqs=none"),
        ("unix:///run/s.sock?db=4", "redis+socket:///run/s.sock?virtual_host=4"),
        ("unix:///run/s.sock", "redis+socket:///run/s.sock?virtual_host=0"),
        ("redis://h/1?protocol=3&health_check_interval=5", "redis://h/1"),
        ("amqp://u:p@h//", "amqp://u:p@h//"),
        ("memory://", "memory://"),
    ],
)
def test_an_address_becomes_what_kombu_understands(url: str, expected: str) -> None:
    """Users write addresses in redis-py's way. kombu writes sockets, databases and TLS differently."""
    assert kombu_url(url) == expected
    assert kombu_url(expected) == expected


def test_only_a_worker_on_redis_consumes_in_batches() -> None:
    """Producers, Flower and the command line keep kombu's own transport."""
    celery = a_celery("redis://h")
    assert type(celery.connection_for_read().transport) is KombuTransport
    prepare_worker(celery)
    assert type(celery.connection_for_read().transport) is Transport
    assert type(celery.connection_for_write().transport) is KombuTransport
    assert celery.connection_for_read().transport.driver_type == "redis"  # Celery and kombu recognise Redis by it
    assert isinstance(Connection(batch_url("rediss://h") or "").ssl, dict)
    rabbit = a_celery("amqp://h")
    prepare_worker(rabbit)
    assert batch_url("amqp://h") is None
    assert rabbit.conf.broker_read_url == "amqp://h"


@pytest.mark.parametrize(
    "store, broker, expected",
    [
        ("redis://localhost:6379/0", "redis://127.0.0.1", True),
        ("valkey://h/1", "redis://h:6379/?db=1", True),
        ("unix:///s?db=1", "redis+socket:///s?virtual_host=1", True),
        ("redis://default:p@h", "redis://:p@h/0", True),
        ("redis://h/0", "redis://h/1", False),
        ("redis://h:1", "redis://h:2", False),
        ("redis://h", "rediss://h", False),
        ("redis://:p@h", "redis://:q@h", False),
        ("redis://a:p@h", "redis://b:p@h", False),
        ("unix:///s", "unix:///t", False),
        ("redis://h", "amqp://h", False),
        ("amqp://h", "amqp://h", False),
    ],
)
def test_scripts_push_directly_only_to_their_own_server(store: str, broker: str, expected: bool) -> None:
    """A worker would not see a ticket on another server than its broker."""
    assert is_same_server(store, broker) is expected


def test_passwords_are_not_shown() -> None:
    """Addresses end up in errors, logs and ``taskflow doctor``."""
    assert without_password("redis://u:secret@h:1/2?password=secret") == "redis://u:**@h:1/2"
    assert without_password("redis://:secret@h") == "redis://:**@h"
    assert "secret" not in repr(redis_address("redis://:secret@h"))
    with pytest.raises(ValueError, match="must be a number") as wrong:
        kombu_url("redis://:secret@h/zero")
    assert "secret" not in str(wrong.value)


def test_values_stay_out_of_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Celery logs the result of a task and passes arguments to handlers; more people read logs than data."""
    hide_payload_values()
    hide_payload_values()
    logger = logging.getLogger("celery.app.trace")
    assert sum(isinstance(known, logging.Filter) for known in logger.filters) == 1
    fields = {"id": "run_1", "name": "hello", "return_value": "secret", "runtime": 0.1, "args": "('secret',)"}
    with caplog.at_level(logging.INFO, logger="celery.app.trace"):
        logger.info("Task %(name)s[%(id)s] in %(runtime)ss: %(return_value)s", fields, extra={"data": fields})
    assert caplog.messages == ["Task hello[run_1] in 0.1s: (not logged)"]
    assert "secret" not in str(caplog.records[0].__dict__)
