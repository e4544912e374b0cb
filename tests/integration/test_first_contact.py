"""The first contact with a store: eviction policies, rights, options of its address, a store that is away."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from taskflow.errors import SettingsError
from taskflow.store import operations
from taskflow.store.server_check import check_server
from taskflow.store.sync_store import Store
from taskflow.store.wire import StoreConfig
from tests.conftest import MakeServer, StartFleet
from tests.integration.test_command_line import invoke
from tests.projects import fleet_tasks as tasks
from tests.support.fleet import ROOT
from tests.support.servers import HOST, RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interpreter

SETTINGS = (ROOT / "docs" / "reference" / "settings.md").read_text()


@pytest.fixture
def client(valkey: RedisServer) -> Iterator[Any]:
    """A client of the server, which has its policy and no further users afterwards."""
    with contextlib.closing(valkey.client()) as made:
        yield made
        made.execute_command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        made.execute_command("ACL", "DELUSER", "limited")


def rule(environment: str) -> list[str]:
    """Return the rule that the page shows, for an environment."""
    found = re.search(r"ACL SETUSER taskflow on >PASSWORD (.*?)```", SETTINGS, re.DOTALL)
    assert found
    return found[1].replace("shop", environment).replace("\\\n", " ").split()


def as_limited(server: RedisServer) -> str:
    """Return the address for the user with few rights."""
    return f"redis://limited:secret@{HOST}:{server.port}/0"


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_store_that_may_drop_keys_is_refused(
    start_fleet: StartFleet, valkey: RedisServer, client: Any, policy: str
) -> None:
    """By the worker at its start, and by the doctor, with the command that mends it."""
    client.execute_command("CONFIG", "SET", "maxmemory-policy", policy)
    fleet = start_fleet(valkey.url)
    with pytest.raises(SettingsError, match=rf"{policy}.*CONFIG SET maxmemory-policy noeviction"):
        check_server(fleet.flow.store)
    assert policy in invoke("doctor", expect=1)


def test_the_policy_is_read_where_a_server_hides_it(valkey: RedisServer, client: Any) -> None:
    """From INFO when CONFIG is hidden, and the reverse. When both are, the doctor tells so."""
    client.execute_command("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-config")
    store = Store(StoreConfig(as_limited(valkey), "policy"))
    assert check_server(store) == "eviction policy noeviction"
    client.execute_command("ACL", "SETUSER", "limited", "-info")
    assert "can't be read" in check_server(store)
    client.execute_command("ACL", "SETUSER", "limited", "+config")
    assert check_server(store) == "eviction policy noeviction"
    store.close()


@pytest.mark.parametrize("missing", ["-function", "-fcall", "resetchannels", "-xread", "resetkeys", "-zrangebyscore"])
def test_a_missing_right_is_named(valkey: RedisServer, client: Any, missing: str) -> None:
    """It was "Function not found", or runs that stayed QUEUED."""
    client.execute_command("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all")
    client.execute_command("ACL", "SETUSER", "limited", missing)
    client.execute_command("FUNCTION", "FLUSH")
    store = Store(StoreConfig(as_limited(valkey), "rights", timeout=timedelta(seconds=0.3)))
    with pytest.raises(SettingsError, match=r"lacks a right: .*(permission|ACL)"):
        check_server(store)
    store.close()


@pytest.mark.timeout(60)
def test_the_rule_of_the_page_is_enough(start_fleet: StartFleet, valkey: RedisServer, client: Any) -> None:
    """For both kinds of nodes and for the client, the store being the broker."""
    client.execute_command("ACL", "SETUSER", "limited", "on", ">secret", "+@all", "~*", "&*")
    fleet = start_fleet(as_limited(valkey))
    client.execute_command("ACL", "SETUSER", "limited", "reset")
    client.execute_command("ACL", "SETUSER", "limited", "on", ">secret", *rule(fleet.environment))
    nodes = [fleet.start_node(executor=executor, wait=False) for executor in ("process", "async")]
    for node in nodes:
        fleet.wait_for(node)
    handles = [tasks.sleep.trigger(tasks.Nap()), tasks.async_sleep.trigger(tasks.Nap())]
    assert [handle.result(timeout=20) for handle in handles] == [handle.id for handle in handles]
    assert check_server(fleet.flow.store) == "eviction policy noeviction"
    assert not [line for node in nodes for line in node.output().splitlines() if "permission" in line.lower()]


def test_options_of_redis_py_in_the_address_work_or_are_named(valkey: RedisServer) -> None:
    """It was a TypeError of a constructor."""
    store = Store(StoreConfig(f"{valkey.url}?protocol=3&health_check_interval=5&client_name=x", "options"))
    assert store.run(operations.nodes.list_nodes()) == []
    store.close()
    for option in ("no_such=1", "socket_timeout=soon"):
        with pytest.raises(SettingsError, match=option.partition("=")[0]):
            Store(StoreConfig(f"{valkey.url}?{option}", "options"))


@pytest.mark.timeout(60)
def test_a_worker_waits_for_its_store_with_one_line(start_fleet: StartFleet, start_valkey: MakeServer) -> None:
    """And one when it answers. It printed fifty lines a second."""
    server = start_valkey()
    fleet = start_fleet(server.url, connect_timeout=0.5)
    server.stop()
    command = [sys.executable, "-m", "taskflow.cli.main", "worker", "--machine", "small-1x"]
    log = fleet.folder / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(command, env=dict(fleet.env()), cwd=ROOT, stdout=output, stderr=output)
    try:
        wait_until(lambda: "The worker waits for it" in log.read_text(), "the line", timeout=20)
        server.start()
        wait_until(lambda: "node.ready" in log.read_text(), "the nodes", timeout=30)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(20)
    text = log.read_text()
    assert text.count("does not answer") == text.count("The run store answers") == 1
    assert "Traceback" not in text
