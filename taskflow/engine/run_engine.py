"""The engine behind ``Task`` and ``RunHandle``: every verb as one operation, in two shells."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta

from taskflow.definition.calls.run_filter import ALL_RUNS, RunFilter, RunPage
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.batches import StoreBatchEngine
from taskflow.engine.declarations import Declarations
from taskflow.engine.effects import aperform_effect, effect_of_cancel, perform_effect, shard_of_effect
from taskflow.engine.logs import RunLogs
from taskflow.engine.lookup import Lookup
from taskflow.engine.loops import Loops
from taskflow.engine.new_run import Planner
from taskflow.engine.queues import StoreQueueEngine
from taskflow.engine.results import Result, ResultListener
from taskflow.engine.run_actions import CANCELED_BY_USER, StoreRunActions
from taskflow.engine.streams import StoreStreamEngine
from taskflow.engine.subscriptions import EventListener
from taskflow.engine.tokens import StoreTokenEngine
from taskflow.errors import RunCanceledError, RunFailedError, RunNotFoundError, StoreUnavailableError
from taskflow.models import Run, RunError, RunStatus
from taskflow.objects.address import is_address
from taskflow.objects.large_values import is_resolved
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.registration import Registrations, read_workers
from taskflow.store.operations.streams import StreamLimits
from taskflow.store.sync_store import Store

Templates = Callable[[str], str]


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
        stream_limits: StreamLimits,
        retention: timedelta,
    ) -> None:
        self._planner = planner
        self._store = store
        self._lookup = lookup
        self._large_values = planner.large_values
        self._loop = Loops(make_async_store).current
        self._results = ResultListener(store)
        self._events = EventListener(store)
        self._declarations = Declarations(template, has_final_hooks, planner.known)
        self.queues = StoreQueueEngine(store, lambda: self._loop().store)
        self.actions = StoreRunActions(planner, store, self._events, self._loop, self._declarations, lookup)
        self.streams = StoreStreamEngine(store, self._loop, stream_limits)
        self.batches = StoreBatchEngine(planner, store, self._results, self._loop, self._declarations, lookup)
        self.tokens = StoreTokenEngine(store, lambda: self._loop().store, retention, planner.payload_limit)

    @property
    def logs(self) -> RunLogs:
        """The log lines of runs."""
        return RunLogs(self._store, self._lookup)

    @property
    def results(self) -> ResultListener:
        """The process's one listener for runs that finish."""
        return self._results

    def find_task(self, task_id: str) -> TaskDefinition:
        """Return the task of an id; a stand-in for one that is not declared here."""
        return self._planner.known.task(task_id)

    def trigger(
        self, task: TaskDefinition, payload: object, options: TriggerOptions, waiter: Waiter | None = None
    ) -> str:
        """Make a run and return its id."""
        new = self._planner.plan(task, payload, options, waiter=waiter)
        if new.large:
            self._large_values.write(new.large)
        shard = self._planner.shard(new)
        declaration = self._declarations.needed(new.task_id, shard, self._store.missing_templates)
        if declaration:
            with _before(new.id):
                self._store.run(declaration, shard=shard)
            self._declarations.made(new.task_id, shard, self._store.missing_templates)
        run_id, _ = self._store.run(operations.making.trigger_run(new), shard=shard)
        if new.large and run_id != new.id:
            self._large_values.discard(new.large)
        return run_id

    async def atrigger(
        self, task: TaskDefinition, payload: object, options: TriggerOptions, waiter: Waiter | None = None
    ) -> str:
        """Make a run and return its id."""
        new = self._planner.plan(task, payload, options, waiter=waiter)
        if new.large:
            await asyncio.to_thread(self._large_values.write, new.large)
        shard, store = self._planner.shard(new), self._loop().store
        declaration = self._declarations.needed(new.task_id, shard, store.missing_templates)
        if declaration:
            with _before(new.id):
                await store.run(declaration, shard=shard)
            self._declarations.made(new.task_id, shard, store.missing_templates)
        run_id, _ = await store.run(operations.making.trigger_run(new), shard=shard)
        if new.large and run_id != new.id:
            await asyncio.to_thread(self._large_values.discard, new.large)
        return run_id

    def trigger_id(self, task_id: str, payload: object, options: TriggerOptions) -> str:
        """Make a run of the task of an id; workers decide about one that is not declared here."""
        return self.trigger(self._planner.known.task(task_id), payload, options)

    async def atrigger_id(self, task_id: str, payload: object, options: TriggerOptions) -> str:
        """Make a run of the task of an id; workers decide about one that is not declared here."""
        return await self.atrigger(self._planner.known.task(task_id), payload, options)

    def load_value(self, stored: bytes) -> bytes:
        """Return the JSON of a stored value, be it large or not."""
        return self._large_values.load(stored)

    async def aload_value(self, stored: bytes) -> bytes:
        """Return the JSON of a stored value, be it large or not."""
        return await asyncio.to_thread(self._large_values.load, stored) if is_address(stored) else stored

    def run_status(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        try:
            return self._store.run_for(run_id, operations.runs.read_result(run_id))[0]
        except RunNotFoundError:
            return self._lookup.retrieve(run_id).status

    async def arun_status(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        try:
            return (await self._loop().store.run_for(run_id, operations.runs.read_result(run_id)))[0]
        except RunNotFoundError:
            return (await asyncio.to_thread(self._lookup.retrieve, run_id)).status

    def retrieve_run(self, run_id: str) -> Run:
        """Return a run's record."""
        try:
            found = self._store.run_for(run_id, operations.runs.read_run(run_id))
        except RunNotFoundError:
            found = self._lookup.retrieve(run_id)
        return self._large_values.resolved(found)

    async def aretrieve_run(self, run_id: str) -> Run:
        """Return a run's record."""
        try:
            found = await self._loop().store.run_for(run_id, operations.runs.read_run(run_id))
        except RunNotFoundError:
            found = await asyncio.to_thread(self._lookup.retrieve, run_id)
        return found if is_resolved(found) else await asyncio.to_thread(self._large_values.resolved, found)

    def cancel_run(self, run_id: str) -> bool:
        """Cancel a run. Returns False when it had ended."""
        is_canceled = self._store.run_for(run_id, operations.runs.cancel_run(run_id, CANCELED_BY_USER))
        shard = shard_of_effect(run_id, self._planner.shards)
        if is_canceled and shard is not None:
            perform_effect(self._store, shard, effect_of_cancel(run_id))
        return is_canceled

    async def acancel_run(self, run_id: str) -> bool:
        """Cancel a run. Returns False when it had ended."""
        store = self._loop().store
        is_canceled = await store.run_for(run_id, operations.runs.cancel_run(run_id, CANCELED_BY_USER))
        shard = shard_of_effect(run_id, self._planner.shards)
        if is_canceled and shard is not None:
            await aperform_effect(store, shard, effect_of_cancel(run_id))
        return is_canceled

    def wait_output(self, run_id: str, timeout: timedelta | None) -> bytes:
        """Return a run's output JSON once it has completed."""
        try:
            end = self._results.wait(run_id, timeout)
        except RunNotFoundError:
            end = self._lookup.end(run_id)
        return self._large_values.load(_output(run_id, end))

    async def await_output(self, run_id: str, timeout: timedelta | None) -> bytes:
        """Return a run's output JSON once it has completed."""
        try:
            end = await self._loop().results.wait(run_id, timeout)
        except RunNotFoundError:
            end = await asyncio.to_thread(self._lookup.end, run_id)
        output = _output(run_id, end)
        return await asyncio.to_thread(self._large_values.load, output) if is_address(output) else output

    def list_runs(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        """Return up to ``limit`` runs, newest first."""
        shards = self._shards() if cursor is None else ()
        if cursor is None and wanted != ALL_RUNS and not self._lookup.is_ready():  # nobody else knows the older ones
            return self._lookup.page(self.actions.search(wanted), wanted, limit, None)
        found = [run for shard in shards for run in self._store.run(operations.runs.list_runs(limit), shard=shard)]
        return self._lookup.page(found, wanted, limit, cursor)

    async def alist_runs(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        """Return up to ``limit`` runs, newest first."""
        shards, store = self._shards() if cursor is None else (), self._loop().store
        if cursor is None and wanted != ALL_RUNS and not await asyncio.to_thread(self._lookup.is_ready):
            found = await self.actions.asearch(wanted)
            return await asyncio.to_thread(self._lookup.page, found, wanted, limit, None)
        found = [run for shard in shards for run in await store.run(operations.runs.list_runs(limit), shard=shard)]
        return await asyncio.to_thread(self._lookup.page, found, wanted, limit, cursor)

    def list_nodes(self) -> list[str]:
        """Return the ids of the nodes that hold a lease."""
        found = [self._store.run(operations.nodes.list_nodes(), shard=shard) for shard in self._shards()]
        return sorted({node_id for ids in found for node_id in ids})

    def read_workers(self) -> Registrations:
        """Return the nodes that are up and the tasks that workers have registered."""
        found = [self._store.run(read_workers(), shard=shard) for shard in self._shards()]
        return found[0]  # nodes and tasks are told to every shard

    def close(self) -> None:
        """End the threads that listen for results and events."""
        self._results.close()
        self._events.close()
        self.streams.close()

    def _shards(self) -> range:
        return range(self._planner.shards)


def _output(run_id: str, result: Result) -> bytes:
    status, output, error = result
    if status is RunStatus.COMPLETED:
        return output or b"null"
    error = error or RunError(status.value, "")
    kind = RunCanceledError if status is RunStatus.CANCELED else RunFailedError
    raise kind(run_id, status.value, error.type, error.message, error.traceback)


@contextmanager
def _before(run_id: str) -> Generator[None]:
    """What fails in here fails before a run is made: say so, whatever became of the request itself."""
    try:
        yield
    except StoreUnavailableError as error:
        raise StoreUnavailableError(error.reason, run_id=run_id, may_exist=False) from error
