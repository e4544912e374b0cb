"""The thread that keeps a node's lease, against a real store."""

import contextlib
from types import SimpleNamespace
from typing import cast

from taskflow.errors import StoreUnavailableError
from taskflow.settings import Settings
from taskflow.store import operations
from taskflow.store.sync_store import Store
from taskflow.store.wire import StoreConfig
from taskflow.worker.attempt.runtime import NodeIdentity, Runtime
from taskflow.worker.node.pulse import Pulse
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


def test_a_node_that_could_not_register_anew_tries_again(valkey: RedisServer) -> None:
    """A node that stays without lease and pulse takes tickets and drops them all."""
    settings = Settings.read(lease=1, heartbeat=0.1, database_url="none")
    store = Store(StoreConfig(valkey.url, "pulse"))
    node = NodeIdentity("n", "n.1.a", "n.1.a")
    runtime = cast("Runtime", SimpleNamespace(settings=settings, store=store, node=node))
    tries: list[str] = []

    def come_back(lost_id: str) -> None:
        tries.append(lost_id)
        if len(tries) == 1:
            raise StoreUnavailableError("gone between two commands")
        register = operations.nodes.register_node(
            node.id, lease=settings.lease, queues=[], capacity=1, classes=[], description={}
        )
        store.run(register)

    pulse = Pulse(runtime, 0, lambda _: None, come_back)
    pulse.start()
    with contextlib.closing(valkey.client()) as client:
        wait_until(lambda: client.execute_command("ZCARD", "{tf:pulse:0}:nodes"), "the node to be back")
    pulse.stop()
    store.close()
    assert len(tries) == 2
