"""The nodes that are up, and the tasks that workers have registered."""

from collections.abc import Sequence

from taskflow.store import operations
from taskflow.store.operations.registration import Registrations, read_workers
from taskflow.store.sync_store import Store


class NodeEngine:
    """Reads nodes and registrations. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self) -> Sequence[str]:
        """Return the ids of the nodes that hold a lease."""
        shards = range(self._store.config.shards)
        return sorted(
            {node for shard in shards for node in self._store.run(operations.nodes.list_nodes(), shard=shard)}
        )

    def registrations(self) -> Registrations:
        """Return the nodes that are up and the tasks that workers have registered: every shard has all of them."""
        return self._store.run(read_workers())
