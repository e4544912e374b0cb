"""The nodes that are up or were lost, what waits for others, and the tasks that workers have registered."""

from collections.abc import Callable, Iterable, Sequence

from taskflow.engine.caller import caller
from taskflow.engine.loops import Loop
from taskflow.engine.round_trips import Steps, adrive, checked, drive
from taskflow.errors import NodeNotFoundError
from taskflow.store import operations
from taskflow.store.operations.nodes import HeldRun
from taskflow.store.operations.overviews.nodes import (
    NodeReports,
    Unserved,
    ask_drain,
    merged_nodes,
    merged_unserved,
    read_nodes,
    read_unserved,
)
from taskflow.store.operations.overviews.tasks import TaskRecord, read_tasks
from taskflow.store.operations.registration import Registrations, read_schemas, read_workers
from taskflow.store.sync_store import Store
from taskflow.texts import is_possible_id


class NodeEngine:
    """Reads nodes and registrations, and asks nodes to drain. Every shard has every node; runs are on their own."""

    def __init__(self, store: Store, loop: Callable[[], Loop]) -> None:
        self._store, self._loop = store, loop
        self._shards = range(store.config.shards)

    def list(self) -> Sequence[str]:
        """Return the ids of the nodes that hold a lease."""
        return sorted(
            {node for shard in self._shards for node in self._store.run(operations.nodes.list_nodes(), shard=shard)}
        )

    def registrations(self) -> Registrations:
        """Return the nodes that are up and the tasks that workers have registered: every shard has all of them."""
        return self._store.run(read_workers())

    def schemas(self) -> dict[str, str]:
        """Return the JSON Schema of the payload of each task that workers have registered; "" for none."""
        return self._store.run(read_schemas())

    async def atasks(self) -> Sequence[TaskRecord]:
        """Return the tasks that workers have registered, by id, with what people read of their declarations."""
        return await self._loop().store.run(read_tasks())

    async def atask(self, task_id: str) -> TaskRecord | None:
        """Return one of them with the JSON Schema of its payload; None for one that no worker has registered."""
        found = await self._loop().store.run(read_tasks(task_id)) if is_possible_id(task_id) and task_id else []
        return found[0] if found else None

    def unregistered(self, task_ids: Iterable[str]) -> Sequence[str]:
        """Return which of these tasks no worker has registered on some shard: their runs stay PENDING_VERSION there."""
        known = [{task.id for task in self._store.run(read_workers(), shard=shard).tasks} for shard in self._shards]
        return sorted(task_id for task_id in task_ids if not all(task_id in tasks for tasks in known))

    def reports(self) -> NodeReports:
        """Return the nodes that are up, with what they execute, and those that were lost in the last 24 hours."""
        return drive(self._store, self._reports())

    async def areports(self) -> NodeReports:
        """Return the nodes that are up, with what they execute, and those that were lost in the last 24 hours."""
        return await adrive(self._loop().store, self._reports())

    async def aruns(self, node_id: str) -> Sequence[HeldRun]:
        """Return the runs that a node executes, or that wait in its memory, by task."""
        read = operations.nodes.read_node_runs(_possible(node_id))
        results = await self._loop().store.run_many([(read, shard) for shard in self._shards])
        held: Sequence[HeldRun] = [run for result in results for run in checked(result)]
        return sorted(held, key=lambda run: (run.task_id, run.run_id))

    async def aunserved(self) -> Unserved:
        """Return what waits for a worker that is not there."""
        return await adrive(self._loop().store, self._unserved())

    def drain(self, node_id: str) -> None:
        """Ask a node to take no new runs and to end, as a SIGTERM does. Returns before it has.

        Raises:
            NodeNotFoundError: No such node is up.
        """
        self._store.run(ask_drain(_possible(node_id), caller()))

    async def adrain(self, node_id: str) -> None:
        """Ask a node to take no new runs and to end, as a SIGTERM does. Returns before it has.

        Raises:
            NodeNotFoundError: No such node is up.
        """
        await self._loop().store.run(ask_drain(_possible(node_id), caller()))

    def _reports(self) -> Steps[NodeReports]:
        results = yield [(read_nodes(), shard) for shard in self._shards]
        return merged_nodes([checked(result) for result in results])

    def _unserved(self) -> Steps[Unserved]:
        results = yield [(read_unserved(), shard) for shard in self._shards]
        return merged_unserved([checked(result) for result in results])


def short_name(node_id: str) -> str:
    """Return a node's id without its process id and random digits: the name that Celery has for the worker."""
    name, _, rest = node_id.rpartition(".")
    shorter, _, pid = name.rpartition(".")
    return shorter if shorter and pid.isdigit() and rest else node_id


def _possible(node_id: str) -> str:
    if not is_possible_id(node_id):
        raise NodeNotFoundError(node_id)
    return node_id
