"""The nodes that are up, and the tasks that workers have registered."""

from collections.abc import Iterable, Sequence

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

    def unregistered(self, task_ids: Iterable[str]) -> Sequence[str]:
        """Return which of these tasks no worker has registered on some shard: their runs stay PENDING_VERSION there."""
        shards = range(self._store.config.shards)
        known = [{task.id for task in self._store.run(read_workers(), shard=shard).tasks} for shard in shards]
        return sorted(task_id for task_id in task_ids if not all(task_id in tasks for tasks in known))
