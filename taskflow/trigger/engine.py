"""The engine behind ``Task`` and ``RunHandle``: every verb as one operation, in two shells."""

import asyncio
import contextlib
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from taskflow.definition.options import TriggerOptions
from taskflow.definition.run_filter import ALL_RUNS, RunFilter, RunPage
from taskflow.definition.task import Task
from taskflow.errors import RunCanceledError, RunFailedError, RunNotFoundError
from taskflow.models import Run, RunError, RunStatus
from taskflow.store import node_operations, operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations import NewRun
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_queue, shard_of_run
from taskflow.trigger.effects import aperform_effect, effect_of_cancel, perform_effect, shard_of_effect
from taskflow.trigger.lookup import Lookup
from taskflow.trigger.new_run import Planner
from taskflow.trigger.queue_engine import StoreQueueEngine
from taskflow.trigger.results import AsyncResultListener, Result, ResultListener

CANCELED_BY_USER = RunError("Canceled", "Canceled by user")
Templates = Callable[[str], str]


@dataclass(slots=True)
class _Loop:
    store: AsyncStore
    results: AsyncResultListener
    closing: AsyncGenerator[None, None]


async def _close_with_loop(store: AsyncStore) -> AsyncGenerator[None, None]:
    """Close a store when its event loop ends: ``asyncio.run`` finishes the generators that were started in it."""
    try:
        yield
    finally:
        await store.close()


class RunEngine:
    """Implements ``definition.engine.Engine``."""

    def __init__(
        self,
        planner: Planner,
        store: Store,
        make_async_store: Callable[[], AsyncStore],
        template: Templates,
        has_final_hooks: Callable[[str], bool],
        lookup: Lookup,
    ) -> None:
        self._planner = planner
        self._store = store
        self._make_async_store = make_async_store
        self._template = template
        self._has_final_hooks = has_final_hooks
        self._lookup = lookup
        self._results = ResultListener(store)
        self.queues = StoreQueueEngine(store, lambda: self._loop().store)
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = weakref.WeakKeyDictionary()
        self._declared: set[tuple[str, int]] = set()
        self._lock = threading.Lock()

    @property
    def results(self) -> ResultListener:
        """The process's one listener for runs that finish."""
        return self._results

    def trigger(self, task: Task[Any, Any], payload: object, options: TriggerOptions) -> str:
        """Make a run and return its id."""
        new = self._planner.plan(task, payload, options)
        shard = self._shard(new)
        if (new.task_id, shard) not in self._declared or new.task_id in self._store.missing_templates:
            self._store.run(self._declaration(new), shard=shard)
            self._declared.add((new.task_id, shard))
            self._store.missing_templates.discard(new.task_id)
        run_id, _ = self._store.run(operations.trigger_run(new), shard=shard)
        return run_id

    async def atrigger(self, task: Task[Any, Any], payload: object, options: TriggerOptions) -> str:
        """Make a run and return its id."""
        new = self._planner.plan(task, payload, options)
        shard, store = self._shard(new), self._loop().store
        if (new.task_id, shard) not in self._declared or new.task_id in store.missing_templates:
            await store.run(self._declaration(new), shard=shard)
            self._declared.add((new.task_id, shard))
            store.missing_templates.discard(new.task_id)
        run_id, _ = await store.run(operations.trigger_run(new), shard=shard)
        return run_id

    def trigger_id(self, task_id: str, payload: object, options: TriggerOptions) -> str:
        """Make a run of the task declared under an id."""
        return self.trigger(self._planner.registry.get(task_id), payload, options)

    async def atrigger_id(self, task_id: str, payload: object, options: TriggerOptions) -> str:
        """Make a run of the task declared under an id."""
        return await self.atrigger(self._planner.registry.get(task_id), payload, options)

    def run_status(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        return self._store.run_for(run_id, operations.read_result(run_id))[0]

    async def arun_status(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        return (await self._loop().store.run_for(run_id, operations.read_result(run_id)))[0]

    def retrieve_run(self, run_id: str) -> Run:
        """Return a run's record."""
        try:
            return self._store.run_for(run_id, operations.read_run(run_id))
        except RunNotFoundError:
            return self._lookup.retrieve(run_id)

    async def aretrieve_run(self, run_id: str) -> Run:
        """Return a run's record."""
        try:
            return await self._loop().store.run_for(run_id, operations.read_run(run_id))
        except RunNotFoundError:
            return await asyncio.to_thread(self._lookup.retrieve, run_id)

    def cancel_run(self, run_id: str) -> bool:
        """Cancel a run. Returns False when it had ended."""
        is_canceled = self._store.run_for(run_id, operations.cancel_run(run_id, CANCELED_BY_USER))
        shard = shard_of_effect(run_id, self._planner.shards)
        if is_canceled and shard is not None:
            perform_effect(self._store, shard, effect_of_cancel(run_id))
        return is_canceled

    async def acancel_run(self, run_id: str) -> bool:
        """Cancel a run. Returns False when it had ended."""
        store = self._loop().store
        is_canceled = await store.run_for(run_id, operations.cancel_run(run_id, CANCELED_BY_USER))
        shard = shard_of_effect(run_id, self._planner.shards)
        if is_canceled and shard is not None:
            await aperform_effect(store, shard, effect_of_cancel(run_id))
        return is_canceled

    def wait_output(self, run_id: str, timeout: timedelta | None) -> bytes:
        """Return a run's output JSON once it has completed."""
        return _output(run_id, self._results.wait(run_id, timeout))

    async def await_output(self, run_id: str, timeout: timedelta | None) -> bytes:
        """Return a run's output JSON once it has completed."""
        return _output(run_id, await self._loop().results.wait(run_id, timeout))

    def list_runs(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        """Return up to ``limit`` runs, newest first."""
        shards = self._shards() if cursor is None else ()
        found = [run for shard in shards for run in self._store.run(operations.list_runs(limit), shard=shard)]
        return self._lookup.page(found, wanted, limit, cursor)

    async def alist_runs(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        """Return up to ``limit`` runs, newest first."""
        shards, store = self._shards() if cursor is None else (), self._loop().store
        found = [run for shard in shards for run in await store.run(operations.list_runs(limit), shard=shard)]
        return await asyncio.to_thread(self._lookup.page, found, wanted, limit, cursor)

    def list_nodes(self) -> list[str]:
        """Return the ids of the nodes that hold a lease."""
        found = [self._store.run(node_operations.list_nodes(), shard=shard) for shard in self._shards()]
        return sorted({node_id for ids in found for node_id in ids})

    def close(self) -> None:
        """End the thread that waits for results."""
        self._results.close()

    def _loop(self) -> _Loop:
        loop = asyncio.get_running_loop()
        with self._lock:
            known = self._loops.get(loop)
            if known is None:
                store = self._make_async_store()
                closing = _close_with_loop(store)
                with contextlib.suppress(StopIteration):
                    closing.__anext__().send(None)  # to its yield, which the loop now knows of
                known = self._loops[loop] = _Loop(store, AsyncResultListener(store), closing)
            return known

    def _declaration(self, new: NewRun) -> operations.Operation[int]:
        template = {new.task_id: self._template(new.task_id)}
        hooks = {new.task_id: self._has_final_hooks(new.task_id)}
        return operations.declare(template, {}, by_worker=False, final_hooks=hooks)

    def _shard(self, new: NewRun) -> int:
        named = shard_of_run(new.id)
        return shard_of_queue(new.queue, self._planner.shards) if named is None else named

    def _shards(self) -> range:
        return range(self._planner.shards)


def _output(run_id: str, result: Result) -> bytes:
    status, output, error = result
    if status is RunStatus.COMPLETED:
        return output or b"null"
    error = error or RunError(status.value, "")
    kind = RunCanceledError if status is RunStatus.CANCELED else RunFailedError
    raise kind(run_id, status.value, error.type, error.message, error.traceback)
