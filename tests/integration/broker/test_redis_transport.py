"""Consuming with the batch-taking transport, on Valkey and Redis 7."""

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Connection, Consumer, Exchange, Queue
from kombu.asynchronous import Hub
from kombu.message import Message

from taskflow.broker.celery_app import prepare_worker
from taskflow.broker.publishing import KombuPublisher
from taskflow.broker.redis_transport import Channel, set_free_slots
from tests.faults.proxy import Proxy, through
from tests.integration.broker.conftest import QUEUE, ROOT, MakePublisher, StartWorker, a_celery, tickets
from tests.support.processes import kill_group, spawn, tail
from tests.support.servers import HOST, Client, RedisServer, find_valkey, free_port
from tests.support.waiting import wait_until


class Node:
    """A consumer with slots: each delivered message takes one."""

    def __init__(
        self, connection: Connection, celery: Celery, slots: int, queues: tuple[str, ...], hub: Hub | None = None
    ) -> None:
        self.connection = connection
        self.channel = connection.default_channel
        self.free = slots
        self.taken: list[Message] = []
        assert set_free_slots(self.channel, lambda _: self.free, hub=hub)
        declared = [celery.amqp.queues[name] for name in queues]
        self.consumer = Consumer(self.channel, declared, on_message=self._start, accept=["json"])
        self.consumer.consume()

    @property
    def ids(self) -> list[str]:
        """The run ids of its messages, in order."""
        return [message.headers["id"] for message in self.taken]

    def turn(self, timeout: float = 10) -> list[str]:
        """Run the loop until a message or reply arrives, and return the run ids so far.

        An arrival may be a message or the answer to a subscription. A timeout leaves a command blocked in the server.
        """
        with suppress(TimeoutError):
            self.connection.drain_events(timeout=timeout)
        return self.ids

    def be_fast(self) -> None:
        """Count so many starts that any pace above zero is measured."""
        assert isinstance(self.channel, Channel)
        assert self.channel.ahead is not None
        for _ in range(10_000):
            self.channel.ahead.started()

    def free_one(self, timeout: float = 10) -> list[str]:
        """End the last run, and take the next message."""
        self.taken[-1].ack()
        self.free = 1
        return self.turn(timeout)

    def _start(self, message: Message) -> None:
        self.free -= 1
        self.taken.append(message)


@contextmanager
def a_node(celery: Celery, slots: int, *queues: str, hub: Hub | None = None) -> Generator[Node]:
    """Make a consumer in this process."""
    prepare_worker(celery)
    with celery.connection_for_read() as connection:
        yield Node(connection, celery, slots, queues or (QUEUE,), hub)


def waiting(client: Client, key: str = QUEUE) -> list[str]:
    """Return the ids in a list, the next one first."""
    return [json.loads(text)["headers"]["id"] for text in reversed(client.execute_command("LRANGE", key, 0, -1))]


def calls(client: Client, command: str) -> int:
    """Return the number of times that the server executed a command."""
    statistics: dict[str, dict[str, int]] = client.info("commandstats")
    return statistics.get(f"cmdstat_{command}", {"calls": 0})["calls"]


@pytest.fixture
def client(store_server: RedisServer) -> Iterator[Client]:
    """A client of the test's broker."""
    client = store_server.client()
    yield client
    client.close()


@pytest.fixture
def celery(store_server: RedisServer) -> Celery:
    """An application over the test's broker."""
    return a_celery(store_server.url)


@pytest.fixture
def published(celery: Celery, publisher: MakePublisher) -> KombuPublisher:
    """A publisher that has sent run_0 to run_4."""
    made = publisher(celery)
    made.publish(tickets(5))
    return made


@pytest.mark.usefixtures("published")
def test_one_command_takes_as_many_tickets_as_may_start(celery: Celery, client: Client) -> None:
    """One round trip for all of them is fast. One ticket too many would wait where another node could start it."""
    before = calls(client, "blmpop")
    with a_node(celery, 2) as node:
        node.turn()
        assert node.ids == ["run_0", "run_1"]
        assert waiting(client) == ["run_2", "run_3", "run_4"]
        assert calls(client, "blmpop") == before + 1


@pytest.mark.usefixtures("published")
def test_a_node_with_long_runs_takes_nothing_ahead(celery: Celery, client: Client) -> None:
    """A ticket that waits in a busy node waits although another node may be free."""
    with a_node(celery, 1, hub=Hub()) as node:
        node.turn()
        assert (node.ids, waiting(client)) == (["run_0"], ["run_1", "run_2", "run_3", "run_4"])


@pytest.mark.usefixtures("published")
def test_a_node_with_short_runs_has_the_next_ticket_at_hand(celery: Celery, client: Client) -> None:
    """A child that ends a run gets the next without a round trip to the broker."""
    with a_node(celery, 1, hub=Hub()) as node:
        node.be_fast()
        node.turn()
        assert (node.ids, waiting(client)) == (["run_0"], [])
        before = calls(client, "blmpop")
        assert node.free_one(timeout=0.05) == ["run_0", "run_1"]
        assert node.free_one(timeout=0.05) == ["run_0", "run_1", "run_2"]
        assert calls(client, "blmpop") == before
    assert waiting(client) == ["run_2", "run_3", "run_4"], "the channel was closed"


@pytest.mark.usefixtures("published")
def test_tickets_that_could_not_be_started_soon_go_back_to_the_front(
    celery: Celery, client: Client, publisher: MakePublisher
) -> None:
    """The runs became long, so another node may be free."""
    hub = Hub()
    with a_node(celery, 1, hub=hub) as node:
        node.be_fast()
        node.turn()
        publisher(celery).publish(tickets(6)[5:])
        wait_until(lambda: hub.fire_timers() and bool(waiting(client)[1:]), "the tickets to go back")
        assert waiting(client) == ["run_1", "run_2", "run_3", "run_4", "run_5"]
        assert node.free_one() == ["run_0", "run_1"]


@pytest.mark.usefixtures("published")
def test_a_node_that_stops_consuming_gives_back_what_it_has_taken_ahead(celery: Celery, client: Client) -> None:
    """The node may execute its runs for hours."""
    with a_node(celery, 1, hub=Hub()) as node:
        node.be_fast()
        node.turn()
        node.consumer.cancel()
        assert waiting(client) == ["run_1", "run_2", "run_3", "run_4"]


@pytest.mark.usefixtures("published")
def test_a_node_without_free_slots_takes_nothing_and_a_freed_slot_is_used_at_once(
    celery: Celery, client: Client
) -> None:
    """The next command is sent in the turn of the loop that sees a free slot, without waiting for a timeout."""
    with a_node(celery, 1) as node:
        node.turn()
        before = calls(client, "blmpop")
        node.turn(timeout=0.05)
        assert (node.ids, calls(client, "blmpop")) == (["run_0"], before)
        node.taken[0].ack()
        node.free = 1
        node.turn()
        assert node.ids == ["run_0", "run_1"]


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.usefixtures("published")
def test_slots_that_fill_while_the_command_blocks_stay_within_their_number(
    celery: Celery, client: Client, left: int
) -> None:
    """COUNT was sent when two slots were free. Messages above the free slots go back to the front."""
    texts: list[bytes] = client.execute_command("LRANGE", QUEUE, 0, -1)
    client.execute_command("DEL", QUEUE)
    with a_node(celery, 2) as node:
        channel: Any = node.channel
        wait_until(lambda: node.turn(timeout=0.05) == [] and channel.is_taking, "a command that blocks in the server")
        node.free = left
        client.execute_command("LPUSH", QUEUE, *reversed(texts))
        wait_until(lambda: len(node.turn(timeout=0.05)) == left and not channel.is_taking, "the reply to be read")
        assert node.ids == ["run_0"][:left]
        assert waiting(client) == [f"run_{n}" for n in range(left, 5)]


@pytest.mark.usefixtures("published")
def test_tickets_leave_no_books_and_plain_messages_keep_them(celery: Celery, client: Client) -> None:
    """A ticket is in the store already; a plain producer's message exists nowhere else."""
    with a_node(celery, 5) as node:
        node.turn()
        assert client.execute_command("HLEN", "unacked") == 0
        plain = celery.send_task("hello-world", args=[{"message": "hi"}])
        node.free = 1
        node.taken[0].ack()
        node.turn()
        assert node.ids[-1] == plain.id
        assert client.execute_command("HLEN", "unacked") == client.execute_command("ZCARD", "unacked_index") == 1
        node.taken[-1].ack()
        assert client.execute_command("HLEN", "unacked") == client.execute_command("ZCARD", "unacked_index") == 0


@pytest.mark.usefixtures("published")
def test_a_closed_channel_puts_back_what_was_not_acknowledged_in_order(celery: Celery, client: Client) -> None:
    """A node that stops must not cost a run its place."""
    plain = celery.send_task("hello-world", args=[])
    with a_node(celery, 6) as node:
        node.turn()
        assert len(node.ids) == 6
        assert waiting(client) == []
        node.taken[1].ack()
    assert set(waiting(client)) == {"run_0", "run_2", "run_3", "run_4", plain.id}
    assert [run for run in waiting(client) if run != plain.id] == ["run_0", "run_2", "run_3", "run_4"]
    assert client.execute_command("HLEN", "unacked") == 0


def test_what_a_blocked_command_takes_after_the_last_consumer_is_cancelled_goes_back(
    celery: Celery, client: Client, publisher: MakePublisher
) -> None:
    """A stopping node may execute its runs for hours, and must not keep a ticket meanwhile."""
    with a_node(celery, 2) as node:
        node.turn(timeout=0.05)
        publisher(celery).publish(tickets(1))
        node.consumer.cancel()
        assert node.taken == []
        assert waiting(client) == ["run_0"]


@pytest.mark.usefixtures("published")
def test_a_lost_connection_gives_unstarted_tickets_back(celery: Celery, client: Client) -> None:
    """Celery drops unstarted messages when it reconnects. The tickets must not wait for upkeep."""
    with a_node(celery, 2) as node:
        node.turn()
        node.taken[0].ack()
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        node.free = 1
        with pytest.raises(node.connection.connection_errors):
            node.turn()
        node.connection.collect()  # as the worker does after a lost connection
        assert waiting(client) == ["run_1", "run_2", "run_3", "run_4"]


@pytest.mark.usefixtures("published")
def test_a_connection_that_could_not_be_closed_while_the_server_was_away_closes_later(
    store_server: RedisServer, client: Client
) -> None:
    """Celery closes it again when kombu no longer has its address. Upkeep publishes the tickets again."""
    with contextlib.closing(Proxy(store_server.port)) as proxy:
        with a_node(a_celery(through(proxy, store_server.url)), 6) as node:
            inbox = Queue("inbox", Exchange("inbox", type="fanout"), auto_delete=True)  # like that of control commands
            node.consumer.add_queue(inbox)
            node.consumer.consume()
            channel: Any = node.channel
            wait_until(
                lambda: len(node.turn(timeout=0.05)) == 5 and channel.is_taking, "a command that blocks in the server"
            )
            sockets = [client.connection._sock for client in (channel.client, channel.subclient)]
            proxy.refuses = True
            proxy.drop()
            node.connection.collect()
            assert [each.fileno() for each in sockets] == [-1, -1]
            proxy.heal()
            node.connection.close()
        assert waiting(client) == []


@pytest.mark.usefixtures("published")
def test_a_rejected_ticket_goes_behind_the_others(celery: Celery, client: Client) -> None:
    """At the front it would be taken again at once. kombu does the same."""
    with a_node(celery, 1) as node:
        node.turn()
        node.taken[0].reject(requeue=True)
        assert waiting(client) == ["run_1", "run_2", "run_3", "run_4", "run_0"]


def test_a_plain_message_of_a_killed_node_is_delivered_again(
    store_server: RedisServer, celery: Celery, client: Client, tmp_path: Path
) -> None:
    """With this transport it is as safe as with kombu's own: it is restored after its visibility timeout."""
    plain = celery.send_task("hello-world", args=[])
    script = tmp_path / "holder.py"
    script.write_text(
        "import sys, time\n"
        "from tests.integration.broker.test_redis_transport import a_celery, a_node\n"
        "with a_node(a_celery(sys.argv[1]), 1) as node:\n"
        "    node.turn(timeout=20)\n"
        "    time.sleep(60)\n"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with (tmp_path / "holder.log").open("wb") as output:
        holder = spawn([sys.executable, script, store_server.url], env=env, output=output)
    wait_until(
        lambda: client.execute_command("HLEN", "unacked"), f"the message to be taken; {tail(tmp_path / 'holder.log')}"
    )
    kill_group(holder)
    options = {"visibility_timeout": 0.2, "unacked_restore_throttle": 1}
    with a_node(a_celery(store_server.url, **options), 1) as node:
        wait_until(lambda: node.turn(timeout=0.1), "the message to come again")
        assert node.ids == [plain.id]
        properties: Any = node.taken[0].properties
        assert properties["delivery_info"]["redelivered"]


def test_higher_priorities_come_first_and_go_back_to_their_own_list(celery: Celery, client: Client) -> None:
    """Priority 0 is the highest on Redis. A message keeps its priority when a node puts it back."""
    low, high = (celery.send_task("hello-world", priority=priority).id for priority in (9, 0))
    with a_node(celery, 2) as node:
        node.turn()
        node.turn()
        assert node.ids == [high, low]
    assert waiting(client, f"{QUEUE}\x06\x169") == [low]
    assert waiting(client) == [high]


@pytest.mark.usefixtures("published")
def test_queues_take_turns(celery: Celery, publisher: MakePublisher) -> None:
    """A long queue must not keep a short one waiting."""
    other = "dev.small-1x.process.emails"
    publisher(celery).publish(tickets(1, queue=other))
    with a_node(celery, 1, QUEUE, other) as node:
        node.turn()
        node.taken[0].ack()
        node.free = 1
        node.turn()
        assert sorted(node.ids) == ["run_0", "run_0"]


def test_a_key_prefix_is_honoured(store_server: RedisServer, client: Client, publisher: MakePublisher) -> None:
    """Several applications may share a database by kombu's global_keyprefix."""
    celery = a_celery(store_server.url, global_keyprefix="mine:")
    publisher(celery).publish(tickets(3))
    assert waiting(client, f"mine:{QUEUE}") == ["run_0", "run_1", "run_2"]
    with a_node(celery, 2) as node:
        node.turn()
        assert node.ids == ["run_0", "run_1"]
    assert waiting(client, f"mine:{QUEUE}") == ["run_0", "run_1", "run_2"]


def test_a_ticket_taken_while_another_raises_is_not_lost(
    celery: Celery, client: Client, published: KombuPublisher
) -> None:
    """One command took several. An error with the first must not lose the rest, nor end the node."""
    taken: list[Message] = []

    def fail_once(message: Message) -> None:
        taken.append(message)
        if len(taken) == 1:
            raise RuntimeError("broken handler")

    with a_node(celery, 3) as node:
        node.consumer.on_message = fail_once
        node.turn()
        assert len(taken) == 3
    assert {"run_1", "run_2", "run_3", "run_4"} <= set(waiting(client))


def test_without_free_slots_given_the_prefetch_count_bounds_what_is_taken(
    celery: Celery, published: KombuPublisher
) -> None:
    """The transport alone behaves as AMQP does; without a prefetch count it takes one message at a time."""
    prepare_worker(celery)
    with celery.connection_for_read() as connection:
        channel: Any = connection.default_channel
        assert isinstance(channel, Channel)
        taken: list[Message] = []
        with Consumer(channel, [celery.amqp.queues[QUEUE]], on_message=taken.append, prefetch_count=3):
            connection.drain_events(timeout=1)
            assert (len(taken), published.queue_length(QUEUE)) == (3, 2)


def test_a_worker_takes_control_commands_and_survives_a_restart_of_its_broker(
    start_valkey: Any, start_worker: StartWorker, publisher: MakePublisher, tmp_path: Path
) -> None:
    """A node over the transport is a Celery worker like any other: ping, inspect, reconnection, SIGTERM."""
    server: RedisServer = start_valkey(appendfsync="always")
    celery = a_celery(server.url)
    worker = start_worker(
        "batch_worker", server.url, "-P", "prefork", "-c", "2", "-Q", QUEUE, "-l", "INFO", "-n", "n@h"
    )
    log = tmp_path / "worker.log"
    wait_until(lambda: celery.control.ping(timeout=0.3), f"the worker; {log}", timeout=25)
    queues = celery.control.inspect(timeout=1).active_queues()
    assert queues is not None
    assert [queue["exchange"]["type"] for queue in queues["n@h"]] == ["direct"]
    ours = publisher(celery)
    ours.publish(tickets(20))
    client = server.client()
    wait_until(lambda: client.execute_command("LLEN", "done") == 20, f"20 runs; {log}")
    client.close()
    server.restart(kill=True)
    ours.publish(tickets(21)[20:])
    client = server.client()
    wait_until(
        lambda: "run_20" in client.execute_command("LRANGE", "done", 0, -1), f"a run after the restart; {log}", 20
    )
    client.close()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(15) == 0, tail(log)
    assert "a returned value" not in log.read_text()


def test_a_unix_socket_is_consumed_in_batches_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The embedded store listens on a socket only."""
    directory = tmp_path_factory.mktemp("socket")
    path = directory / "s"
    server = spawn([find_valkey(), "--port", "0", "--unixsocket", str(path), "--save", ""], cwd=directory)
    try:
        wait_until(path.exists, "the server's socket")
        celery = a_celery(f"unix://{path}?db=3")
        made = KombuPublisher(celery)
        made.publish(tickets(3))
        with a_node(celery, 2) as node:
            node.turn()
            assert node.ids == ["run_0", "run_1"]
        assert made.queue_length(QUEUE) == 3
        made.close()
    finally:
        kill_group(server)


def test_tls_is_consumed_in_batches_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    """rediss:// checks the certificate by default, as in redis-py."""
    directory = tmp_path_factory.mktemp("tls")
    port = free_port()
    certificate, key = directory / "c.pem", directory / "k.pem"
    _make_certificate(certificate, key)
    options = ["--port", "0", "--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    server = spawn(["redis-server", *options, "--tls-auth-clients", "no", "--save", ""], cwd=directory)
    try:
        wait_until(lambda: _answers(port), "the server")
        with pytest.raises(Exception, match="certificate verify failed"):
            KombuPublisher(a_celery(f"rediss://{HOST}:{port}/0")).publish(tickets(1))
        celery = a_celery(f"rediss://{HOST}:{port}/0?ssl_ca_certs={certificate}")
        made = KombuPublisher(celery)
        made.publish(tickets(3))
        with a_node(celery, 2) as node:
            node.turn()
            assert node.ids == ["run_0", "run_1"]
        made.close()
    finally:
        kill_group(server)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _make_certificate(certificate: Path, key: Path) -> None:
    made = spawn(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", f"subjectAltName=IP:{HOST}", "-out", str(certificate), "-keyout", str(key)),
        ]
    )
    assert made.wait(20) == 0
