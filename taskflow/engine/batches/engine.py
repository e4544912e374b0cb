"""The engine behind batches: a write carries many runs, and while the store makes them the next part is planned."""

import asyncio
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Sequence
from contextvars import Context
from datetime import timedelta
from functools import partial
from typing import Any

from taskflow.definition.calls.batch_item import MOST_ITEMS, BatchOptions, atake_items, check_items, take_items
from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.batches.ends import Search, countdown, naming_limit
from taskflow.engine.batches.plan import BatchPlan, Part
from taskflow.engine.batches.records import batch_of, status_reads
from taskflow.engine.declarations import Declarations
from taskflow.engine.lookup import Lookup
from taskflow.engine.loops import Loop
from taskflow.engine.new_run import Planner
from taskflow.engine.results import ResultListener
from taskflow.engine.round_trips import Blocking, Steps, Twins, Write, adrive, checked, drive
from taskflow.errors import (
    BatchNotFoundError,
    BatchTriggerError,
    ObjectStoreError,
    ReplicasMissingError,
    StoreFullError,
    StoreUnavailableError,
    TriggerOptionError,
)
from taskflow.models import Batch
from taskflow.objects.address import is_address
from taskflow.seams.batches import BatchRuns, RunEnd
from taskflow.seams.engine import PlannedBatch
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_batch


class BatchEngine:
    """Batches of runs. The shells of ``trigger`` differ: each plans the next part while its last write is under way."""

    def __init__(
        self,
        planner: Planner,
        store: Store,
        results: ResultListener,
        loop: Callable[[], Loop],
        declarations: Declarations,
        lookup: Lookup,
    ) -> None:
        self._planner = planner
        self._store = store
        self._results = results
        self._loop = loop
        self._declarations = declarations
        self._lookup = lookup

    def trigger(
        self,
        task: TaskDefinition | str | None,
        items: Iterable[object],
        options: BatchOptions,
        waiter: Waiter | None = None,
    ) -> BatchRuns:
        """Make a run of each item."""
        plan = self._checked_plan(task, items, options, waiter)
        return self._make(plan, plan.parts())

    def plan(self, task: TaskDefinition | str | None, items: Iterable[object], options: BatchOptions) -> PlannedBatch:
        """Check a batch and plan its runs, without making them. Their delays begin when they are made."""
        plan = self._checked_plan(task, items, options, None)
        parts = list(plan.parts())
        return PlannedBatch(plan.expected(parts), lambda: self._make(plan, parts), partial(plan.document, parts))

    def make(self, batch_id: str, items: Sequence[object], key: IdempotencyKey | None) -> BatchRuns:
        """Make the runs of a batch that another process has planned. Called again, it makes none twice."""
        plan = BatchPlan(self._planner, None, items, BatchOptions(idempotency_key=key), batch_id=batch_id)
        return self._make(plan, plan.parts())

    def _checked_plan(
        self, task: TaskDefinition | str | None, items: Iterable[object], options: BatchOptions, waiter: Waiter | None
    ) -> BatchPlan:
        check_items(items, is_async=False)
        plan = self._plan(task, take_items(items), options, waiter)
        for _ in plan.checks():
            pass
        return plan

    def _make(self, plan: BatchPlan, parts: Iterable[Part]) -> BatchRuns:
        """Write the parts of a batch, each while the next one is planned."""
        try:
            flight: tuple[Part, int, Callable[[], list[Any]]] | None = None
            for part in parts:
                if flight:
                    self._took(plan, *flight[:2], flight[2](), self._store.missing_templates)
                self._write_large(part)
                first = self._declared(part, self._store.missing_templates)
                flight = part, len(first), self._store.start_many([*first, *plan.writes(part)])
            if flight:
                self._took(plan, *flight[:2], flight[2](), self._store.missing_templates)
            self._store.run_many(plan.rest())
        except (StoreUnavailableError, ObjectStoreError) as error:
            raise _interrupted(plan, error) from error
        return plan.runs

    async def atrigger(
        self,
        task: TaskDefinition | str | None,
        items: Iterable[object] | AsyncIterable[object],
        options: BatchOptions,
        waiter: Waiter | None = None,
        *,
        seed: str | None = None,
    ) -> BatchRuns:
        """Make a run of each item.

        Args:
            seed: Text from which the ids of the batch and its runs follow: triggered again, they are the same.
        """
        check_items(items, is_async=True)
        plan = self._plan(task, await atake_items(items), options, waiter, seed)
        for _ in plan.checks():
            await asyncio.sleep(0)
        store = self._loop().store
        flight: tuple[Part, int, asyncio.Task[list[Any]]] | None = None
        try:
            for part in plan.parts():
                if flight:
                    self._took(plan, *flight[:2], await flight[2], store.missing_templates)
                if part.large:
                    await asyncio.to_thread(self._write_large, part)
                first = self._declared(part, store.missing_templates)
                flight = part, len(first), _sending(store.run_many([*first, *plan.writes(part)]))
                await asyncio.sleep(0)  # sends the part before the next one is planned
            if flight:
                self._took(plan, *flight[:2], await flight[2], store.missing_templates)
            await store.run_many(plan.rest())
        except (StoreUnavailableError, ObjectStoreError) as error:
            raise _interrupted(plan, error) from error
        finally:
            if flight and not flight[2].done():
                flight[2].cancel()
        return plan.runs

    def retrieve(self, batch_id: str) -> Batch:
        """Return a batch's record."""
        return drive(self._store, self._retrieve(batch_id))

    async def aretrieve(self, batch_id: str) -> Batch:
        """Return a batch's record."""
        return await adrive(self._loop().store, self._retrieve(batch_id))

    def wait(self, run_ids: Sequence[str], timeout: timedelta | None) -> list[RunEnd]:
        """Wait until all of the runs have ended, and return their ends."""
        return drive(self._store, self._wait(run_ids, timeout))

    async def await_(self, run_ids: Sequence[str], timeout: timedelta | None) -> list[RunEnd]:
        """Wait until all of the runs have ended, and return their ends."""
        return await adrive(self._loop().store, self._wait(run_ids, timeout))

    def _retrieve(self, batch_id: str) -> Steps[Batch]:
        stored = yield operations.batches.read_batch(batch_id), self._shard(batch_id)
        statuses = yield status_reads(stored)
        return batch_of(batch_id, stored, _checked(statuses))

    def _wait(self, run_ids: Sequence[str], timeout: timedelta | None) -> Steps[list[RunEnd]]:
        left, search = countdown(timeout), Search(run_ids, self._lookup.end)
        while search.left:
            results = yield search.reads()
            unfinished = yield Blocking(partial(search.took, results))
            if unfinished is not None:
                with naming_limit(timeout):
                    search.ended(unfinished, (yield self._end_of(unfinished, left())))
        ends = [search.ends[run_id] for run_id in run_ids]
        if any(is_address(output or b"") for _, output, _ in ends):
            ends = yield Blocking(lambda: [self._loaded(end) for end in ends])
        return ends

    def _end_of(self, run_id: str, timeout: timedelta | None) -> Twins:
        return Twins(lambda: self._results.wait(run_id, timeout), lambda: self._loop().results.wait(run_id, timeout))

    def _plan(
        self,
        task: TaskDefinition | str | None,
        items: list[object],
        options: BatchOptions,
        waiter: Waiter | None,
        seed: str | None = None,
    ) -> BatchPlan:
        if len(items) > MOST_ITEMS:
            raise TriggerOptionError("items", "...", f"A batch has at most {MOST_ITEMS:,} items: trigger several.")
        definition = self._planner.known.task(task) if isinstance(task, str) else task
        return BatchPlan(self._planner, definition, items, options, waiter, seed)

    def _write_large(self, part: Part) -> None:
        for large in part.large:
            self._planner.large_values.write(large)

    def _loaded(self, end: RunEnd) -> RunEnd:
        status, output, error = end
        return status, output and self._planner.large_values.load(output), error

    def _declared(self, part: Part, missing: set[str]) -> list[Write]:
        needed = [(self._declarations.needed(*where, missing), where[1]) for where in part.task_shards]
        return [(operation, shard) for operation, shard in needed if operation]

    def _took(self, plan: BatchPlan, part: Part, first: int, results: list[Any], missing: set[str]) -> None:
        _checked(results)
        for task_id, shard in part.task_shards:
            self._declarations.made(task_id, shard, missing)
        plan.took(part, results[first : first + len(part.scripts)])

    def _shard(self, batch_id: str) -> int:
        shard = shard_of_batch(batch_id)
        if shard is None or shard >= self._planner.shards:
            raise BatchNotFoundError(batch_id)
        return shard


def _sending(writes: Coroutine[Any, Any, list[Any]]) -> "asyncio.Task[list[Any]]":
    return asyncio.create_task(writes, name="taskflow-batch", context=Context())


def _interrupted(plan: BatchPlan, error: StoreUnavailableError | ObjectStoreError) -> BatchTriggerError:
    what = str(error) if isinstance(error, ObjectStoreError | ReplicasMissingError | StoreFullError) else ""
    total = len(plan.runs.run_ids)
    return BatchTriggerError(error.reason, plan.id, plan.made, total, is_repeatable=plan.is_repeatable, what=what)


def _checked(results: list[Any]) -> list[Any]:
    return [checked(result) for result in results]
