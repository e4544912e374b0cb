"""The engine behind ``queues``: each verb as one operation a shard, in two shells."""

from collections.abc import Callable
from typing import Literal

from taskflow.errors import QueueNotFoundError
from taskflow.models import QueueState
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.queues import QueueCommand, control_queue, merged, read_queues
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_queue


class StoreQueueEngine:
    """Implements ``definition.engine.QueueEngine``."""

    def __init__(self, store: Store, async_store: Callable[[], AsyncStore]) -> None:
        self._store = store
        self._async_store = async_store
        self._shards = store.config.shards

    def list_queues(self) -> list[QueueState]:
        """Return every queue, by name."""
        found = [state for shard in range(self._shards) for state in self._store.run(read_queues(), shard=shard)]
        return _named(found)

    async def alist_queues(self) -> list[QueueState]:
        """Return every queue, by name."""
        store = self._async_store()
        return _named([state for shard in range(self._shards) for state in await store.run(read_queues(), shard=shard)])

    def retrieve_queue(self, queue: str) -> QueueState:
        """Return one queue."""
        return self._store.run(read_queues(_checked(queue)), shard=self._shard(queue))[0]

    async def aretrieve_queue(self, queue: str) -> QueueState:
        """Return one queue."""
        return (await self._async_store().run(read_queues(_checked(queue)), shard=self._shard(queue)))[0]

    def control_queue(self, queue: str, command: QueueCommand, limit: int | None = None) -> None:
        """Change one queue."""
        self._store.run(control_queue(_checked(queue), command, limit), shard=self._shard(queue))

    async def acontrol_queue(self, queue: str, command: QueueCommand, limit: int | None = None) -> None:
        """Change one queue."""
        await self._async_store().run(control_queue(_checked(queue), command, limit), shard=self._shard(queue))

    def control_environment(self, command: Literal["pause", "resume"]) -> None:
        """Pause or resume everything."""
        for shard in range(self._shards):
            self._store.run(control_queue("", command), shard=shard)
            cursor = "0" if command == "resume" else ""
            while cursor:  # every queue looks at what may start now
                cursor, _ = self._store.run(operations.nodes.sweep_slots(cursor), shard=shard)
                cursor = "" if cursor == "0" else cursor

    async def acontrol_environment(self, command: Literal["pause", "resume"]) -> None:
        """Pause or resume everything."""
        store = self._async_store()
        for shard in range(self._shards):
            await store.run(control_queue("", command), shard=shard)
            cursor = "0" if command == "resume" else ""
            while cursor:
                cursor, _ = await store.run(operations.nodes.sweep_slots(cursor), shard=shard)
                cursor = "" if cursor == "0" else cursor

    def retrieve_environment(self) -> QueueState:
        """Return the environment's state."""
        return merged([self._store.run(read_queues(), shard=shard)[0] for shard in range(self._shards)])

    async def aretrieve_environment(self) -> QueueState:
        """Return the environment's state."""
        store = self._async_store()
        return merged([(await store.run(read_queues(), shard=shard))[0] for shard in range(self._shards)])

    def _shard(self, queue: str) -> int:
        return shard_of_queue(queue, self._shards)


def _checked(queue: str) -> str:
    if not queue:
        raise QueueNotFoundError(queue, "Give the queue's name.")
    return queue


def _named(states: list[QueueState]) -> list[QueueState]:
    return sorted((state for state in states if state.name), key=lambda state: state.name)
