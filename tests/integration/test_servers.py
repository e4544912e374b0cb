"""The servers of every other suite."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from kombu import Connection

from tests.conftest import MakeServer
from tests.support.processes import group_is_alive
from tests.support.servers import RabbitServer, RedisServer, Server
from tests.support.waiting import wait_until


def test_a_store_server_keeps_its_data_and_address_over_a_restart(store_server: RedisServer) -> None:
    """The fault tests restart stores under load and compare."""
    url = store_server.url
    with contextlib.closing(store_server.client()) as client:
        client.execute_command("SET", "kept", "yes")
        store_server.restart()
        assert client.execute_command("GET", "kept") == "yes"
        assert store_server.url == url


def test_what_always_has_written_survives_kill_9(start_redis7: MakeServer) -> None:
    """`appendfsync always` guarantees it, and the fault tests rely on it."""
    server = start_redis7(appendfsync="always")
    with contextlib.closing(server.client()) as client:
        client.execute_command("SET", "kept", "yes")
        server.restart(kill=True)
        assert client.execute_command("GET", "kept") == "yes"


def test_rabbitmq_keeps_a_durable_message_over_a_restart(rabbitmq: RabbitServer) -> None:
    """The fault tests restart RabbitMQ under load."""
    with Connection(rabbitmq.url) as connection, connection.SimpleQueue("kept") as queue:  # pyright: ignore[reportUnknownMemberType]
        queue.put({"kept": True})
    rabbitmq.restart()
    with Connection(rabbitmq.url) as connection, connection.SimpleQueue("kept") as queue:  # pyright: ignore[reportUnknownMemberType]
        message = queue.get(timeout=10)
        message.ack()
        assert message.payload == {"kept": True}


def test_each_test_gets_an_empty_broker(broker_server: Server) -> None:
    """Messages of one test must not reach the next."""
    if isinstance(broker_server, RabbitServer):
        assert broker_server.api("GET", f"queues/{urlsplit(broker_server.url).path[1:]}") == []
    else:
        assert isinstance(broker_server, RedisServer)
        with contextlib.closing(broker_server.client()) as client:
            assert client.execute_command("DBSIZE") == 0


def test_an_emptied_virtual_host_has_nothing_but_the_queues_for_delayed_messages(rabbitmq: RabbitServer) -> None:
    """Messages, bindings and limits of one test must not reach the next, which may have the same virtual host."""
    url, waiting = rabbitmq.url, f"queues/{rabbitmq.vhost}/celery_delayed_3"
    queue = {"durable": True, "arguments": {"x-queue-type": "quorum"}}
    for path in (waiting, f"queues/{rabbitmq.vhost}/ours"):
        rabbitmq.api("PUT", path, queue)
    rabbitmq.api("PUT", f"exchanges/{rabbitmq.vhost}/ours", {"type": "direct"})
    assert rabbitmq.vhost_for_nodes() == url
    names = [
        entry["name"] for kind in ("queues", "exchanges") for entry in rabbitmq.entries(f"{kind}/{rabbitmq.vhost}")
    ]
    assert [name for name in names if name and not name.startswith("amq.")] == ["celery_delayed_3"]
    message: dict[str, object] = {"routing_key": "celery_delayed_3", "payload": "", "payload_encoding": "string"}
    message["properties"] = {}
    rabbitmq.api("POST", f"exchanges/{rabbitmq.vhost}/amq.default/publish", message)
    assert rabbitmq.vhost_for_nodes() != url
    url = rabbitmq.url
    rabbitmq.api("PUT", f"policies/{rabbitmq.vhost}/full", {"pattern": ".*", "definition": {"max-length": 1}})
    assert rabbitmq.vhost_for_nodes() != url


def test_servers_die_with_pytest_even_on_kill_9(tmp_path: Path) -> None:
    """A killed test run must not leave processes that the next test run meets."""
    report = tmp_path / "pid"
    script = (
        "import sys, time, pathlib; from tests.support.servers import *\n"
        f"server = RedisServer(pathlib.Path({str(tmp_path)!r}) / 'server', find_valkey()); server.start()\n"
        f"pathlib.Path({str(report)!r}).write_text(str(server.pid)); time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2], start_new_session=True)
    try:
        pid = int(wait_until(lambda: report.exists() and report.read_text(), "the server to start"))
        assert psutil.pid_exists(pid)
    finally:
        os.killpg(owner.pid, signal.SIGKILL)
        owner.wait()
    wait_until(lambda: not group_is_alive(pid), "the server to die with its owner")
