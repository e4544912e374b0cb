"""The engine behind ``queues``."""

from collections.abc import Callable, Sequence
from typing import Literal

from taskflow.engine.caller import caller
from taskflow.engine.loops import Loop
from taskflow.engine.round_trips import Steps, adrive, checked, drive
from taskflow.engine.serving.queue_overview import QueueOverview, QueuesOverview, overview, overview_of
from taskflow.errors import QueueNotFoundError
from taskflow.models import QueueState
from taskflow.seams.engine import QueueCommand
from taskflow.store import operations
from taskflow.store.operations.overviews.queues import QueueKeyPage, read_queue_keys
from taskflow.store.operations.queues import control_queue, merged, read_queues
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_queue


class QueueEngine:
    """Queues by name. A queue is on one shard; the environment is on all of them."""

    def __init__(self, store: Store, loop: Callable[[], Loop]) -> None:
        self._store, self._loop = store, loop
        self._shards = store.config.shards

    def list(self) -> Sequence[QueueState]:
        """Return every queue, by name."""
        return drive(self._store, self._list())

    async def alist(self) -> Sequence[QueueState]:
        """Return every queue, by name."""
        return await adrive(self._loop().store, self._list())

    def retrieve(self, queue: str) -> QueueState:
        """Return one queue."""
        return self._store.run(read_queues(_checked(queue)), shard=self._shard(queue))[0]

    async def aretrieve(self, queue: str) -> QueueState:
        """Return one queue."""
        return (await self._loop().store.run(read_queues(_checked(queue)), shard=self._shard(queue)))[0]

    def control(self, queue: str, command: QueueCommand, limit: int | None = None, reason: str = "") -> None:
        """Change one queue. ``reason``: why it is paused."""
        change = control_queue(_checked(queue), command, limit, caller(), reason)
        self._store.run(change, shard=self._shard(queue))

    async def acontrol(self, queue: str, command: QueueCommand, limit: int | None = None, reason: str = "") -> None:
        """Change one queue. ``reason``: why it is paused."""
        change = control_queue(_checked(queue), command, limit, caller(), reason)
        await self._loop().store.run(change, shard=self._shard(queue))

    def control_environment(self, command: Literal["pause", "resume"], reason: str = "") -> None:
        """Pause or resume the environment."""
        drive(self._store, self._control_environment(command, reason))

    async def acontrol_environment(self, command: Literal["pause", "resume"], reason: str = "") -> None:
        """Pause or resume the environment."""
        await adrive(self._loop().store, self._control_environment(command, reason))

    async def aoverview(self) -> QueuesOverview:
        """Return every queue, by name, with the run that has waited longest and the reason why it does not start."""
        return await adrive(self._loop().store, overview(range(self._shards)))

    async def aoverview_of(self, queue: str) -> QueueOverview:
        """Return one of them.

        Raises:
            QueueNotFoundError: No such queue.
        """
        return await adrive(self._loop().store, overview_of(_checked(queue), self._shard(queue)))

    async def akeys(self, queue: str, cursor: str = "") -> QueueKeyPage:
        """Return a page of a queue's concurrency keys, the longest wait first."""
        return await self._loop().store.run(read_queue_keys(_checked(queue), cursor), shard=self._shard(queue))

    def environment(self) -> QueueState:
        """Return the environment's limit and whether it is paused."""
        return drive(self._store, self._environment())

    async def aenvironment(self) -> QueueState:
        """Return the environment's limit and whether it is paused."""
        return await adrive(self._loop().store, self._environment())

    def _list(self) -> Steps[Sequence[QueueState]]:
        results = yield [(read_queues(), shard) for shard in range(self._shards)]
        states = [state for result in results for state in checked(result) if state.name]
        return sorted(states, key=lambda state: state.name)

    def _environment(self) -> Steps[QueueState]:
        results = yield [(read_queues(), shard) for shard in range(self._shards)]
        return merged([checked(result)[0] for result in results])

    def _control_environment(self, command: Literal["pause", "resume"], reason: str) -> Steps[None]:
        for shard in range(self._shards):
            yield control_queue("", command, by=caller(), note=reason), shard
            cursor = "0" if command == "resume" else ""
            while cursor:  # so that every queue starts the runs that may start now
                cursor, _ = yield operations.nodes.sweep_slots(cursor), shard
                cursor = "" if cursor == "0" else cursor

    def _shard(self, queue: str) -> int:
        return shard_of_queue(queue, self._shards)


def _checked(queue: str) -> str:
    if not queue:
        raise QueueNotFoundError(queue, "Give the queue's name.")
    return queue
