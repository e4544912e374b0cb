"""The engine behind replay, reschedule, subscribe and bulk actions. Each verb's steps are written once."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic_core import to_json

from taskflow.definition.calls.bulk import BulkAction, BulkFailure, BulkKind, OnProgress
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.engine.declarations import Declarations
from taskflow.engine.effects import PARENT_CANCELED, aperform_effect, effect_of_cancel, perform_effect
from taskflow.engine.lookup import Lookup, matches, only_in_history
from taskflow.engine.loops import Loop
from taskflow.engine.new_run import Planner
from taskflow.engine.steps import Steps, Write, adrive, checked, drive, found, shards_of_run
from taskflow.engine.subscriptions import EventListener
from taskflow.errors import RunNotFoundError, TaskflowError
from taskflow.models import Run, RunError
from taskflow.objects.large_values import is_resolved
from taskflow.store import operations
from taskflow.store.operations.making import NewRun
from taskflow.store.operations.operation import Operation
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_run

RUNS_A_PART: Final = 100
_LOOKED_AT: Final = 500
CANCELED_BY_USER: Final = RunError("Canceled", "Canceled by user")


class StoreRunActions:
    """Implements ``definition.run_actions.RunActions``."""

    def __init__(
        self,
        planner: Planner,
        store: Store,
        events: EventListener,
        loop: Callable[[], Loop],
        declarations: Declarations,
        lookup: Lookup,
    ) -> None:
        self._planner = planner
        self._store = store
        self._events = events
        self._loop = loop
        self._declarations = declarations
        self._lookup = lookup

    def replay(self, run_id: str) -> str:
        """Make a new run like another one and return its id."""
        return str(checked(self._replay([run_id])[0]))

    async def areplay(self, run_id: str) -> str:
        """Make a new run like another one and return its id."""
        return str(checked((await self._areplay([run_id]))[0]))

    def reschedule(self, run_id: str, due: datetime | timedelta) -> datetime:
        """Give a delayed run another instant to start at and return that."""
        return self._store.run_for(run_id, operations.runs.reschedule_run(run_id, due))

    async def areschedule(self, run_id: str, due: datetime | timedelta) -> datetime:
        """Give a delayed run another instant to start at and return that."""
        return await self._loop().store.run_for(run_id, operations.runs.reschedule_run(run_id, due))

    def add_tags(self, run_id: str, tags: Sequence[str]) -> int:
        """Add tags to a run and return how many were ignored, being too many."""
        return self._store.run_for(run_id, operations.updates.add_tags(run_id, None, tags))

    async def aadd_tags(self, run_id: str, tags: Sequence[str]) -> int:
        """Add tags to a run and return how many were ignored, being too many."""
        return await self._loop().store.run_for(run_id, operations.updates.add_tags(run_id, None, tags))

    def subscribe(self, run_id: str) -> Generator[Run]:
        """Yield a run as it is, and after every change."""
        with contextlib.closing(self._events.subscribe(run_id)) as found:
            yield from map(self._planner.large_values.resolved, found)

    async def asubscribe(self, run_id: str) -> AsyncGenerator[Run]:
        """Yield a run as it is, and after every change."""
        async with contextlib.aclosing(self._loop().events.subscribe(run_id)) as found:
            async for run in found:
                yield run if is_resolved(run) else await asyncio.to_thread(self._planner.large_values.resolved, run)

    def find(self, where: RunFilter) -> list[Run]:
        """Return all the runs for which a filter holds, newest first."""
        return _newest([*self._lookup.all(where), *self.search(where)])

    async def afind(self, where: RunFilter) -> list[Run]:
        """Return all the runs for which a filter holds, newest first."""
        return _newest([*await asyncio.to_thread(self._lookup.all, where), *await self.asearch(where)])

    def search(self, where: RunFilter) -> list[Run]:
        """Return all the runs of the store for which a filter holds, in no order."""
        return [] if only_in_history(where) else drive(self._store, self._find(where))

    async def asearch(self, where: RunFilter) -> list[Run]:
        """Return all the runs of the store for which a filter holds, in no order."""
        return [] if only_in_history(where) else await adrive(self._loop().store, self._find(where))

    def bulk(self, kind: BulkKind, selected: Sequence[str] | RunFilter, on_progress: OnProgress | None) -> BulkAction:
        """Cancel or replay runs, part by part."""
        ids = [run.id for run in self.find(selected)] if isinstance(selected, RunFilter) else selected
        action, parts = _started(kind, ids)
        for part in parts:
            if action.is_aborted:
                break
            if kind == "cancel":
                parents = drive(self._store, self._cancels(part, action))
                for parent_id in parents:
                    perform_effect(self._store, shard_of_run(parent_id) or 0, effect_of_cancel(parent_id))
            else:
                _count(action, part, self._replay(part))
            if on_progress:
                on_progress(action)
        return action

    async def abulk(
        self, kind: BulkKind, selected: Sequence[str] | RunFilter, on_progress: OnProgress | None
    ) -> BulkAction:
        """Cancel or replay runs, part by part."""
        store = self._loop().store
        ids = [run.id for run in await self.afind(selected)] if isinstance(selected, RunFilter) else selected
        action, parts = _started(kind, ids)
        for part in parts:
            if action.is_aborted:
                break
            if kind == "cancel":
                parents = await adrive(store, self._cancels(part, action))
                for parent_id in parents:
                    await aperform_effect(store, shard_of_run(parent_id) or 0, effect_of_cancel(parent_id))
            else:
                _count(action, part, await self._areplay(part))
            if on_progress:
                on_progress(action)
        return action

    def _find(self, where: RunFilter) -> Steps[list[Run]]:
        """Look through the whole store: it knows the living ones, the history only what it was told."""
        finals = {status.is_finished for status in where.statuses} or {True, False}
        indexes = [index for index, is_final in ((":live", False), (":finished", True)) if is_final in finals]
        runs: list[Run] = []
        cursors: dict[tuple[str, int], str] = {
            (index, shard): "0" for index in indexes for shard in range(self._planner.shards)
        }
        while cursors:
            shard_sets = list(cursors)
            results = yield [
                (operations.batches.find_runs(index, cursors[index, shard], _LOOKED_AT, where), shard)
                for index, shard in shard_sets
            ]
            for index, (cursor, candidates) in zip(shard_sets, map(checked, results), strict=True):
                runs += [run for run in candidates if matches(run, where)]
                cursors[index] = cursor
            cursors = {index: cursor for index, cursor in cursors.items() if cursor != "0"}
        return runs

    def _replay(self, run_ids: Sequence[str]) -> list[str | TaskflowError]:
        records = drive(self._store, self._each(run_ids, operations.runs.read_run))
        plans = self._plans(run_ids, records)
        return drive(self._store, self._replays(plans, self._store.missing_templates))

    async def _areplay(self, run_ids: Sequence[str]) -> list[str | TaskflowError]:
        store = self._loop().store
        records = await adrive(store, self._each(run_ids, operations.runs.read_run))
        plans = await asyncio.to_thread(self._plans, run_ids, records)  # history and large payloads block
        return await adrive(store, self._replays(plans, store.missing_templates))

    def _plans(self, run_ids: Sequence[str], records: Sequence[Run | TaskflowError]) -> list[NewRun | TaskflowError]:
        return [self._planned(run_id, record) for run_id, record in zip(run_ids, records, strict=True)]

    def _kept(self, run_id: str, record: Run | TaskflowError) -> Run | TaskflowError:
        """Return the record of the history where the store has none (any more)."""
        if not isinstance(record, RunNotFoundError):
            return record
        try:
            return self._lookup.retrieve(run_id)
        except TaskflowError as error:
            return error

    def _replays(self, plans: Sequence[NewRun | TaskflowError], missing: set[str]) -> Steps[list[str | TaskflowError]]:
        """Return the new run's id for each, or why there is none."""
        news = [new for new in plans if isinstance(new, NewRun)]
        needed = {(new.task_id, self._planner.shard(new)) for new in news}
        declared = [(self._declarations.needed(*where, missing), where[1]) for where in needed]
        first: list[Write] = [(operation, shard) for operation, shard in declared if operation]
        results = yield [*first, *((operations.making.trigger_run(new), self._planner.shard(new)) for new in news)]
        for where in needed:
            self._declarations.made(*where, missing)
        made = iter(results[len(first) :])
        told = [next(made) if isinstance(new, NewRun) else new for new in plans]
        return [each if isinstance(each, TaskflowError) else each[0] for each in told]

    def _planned(self, run_id: str, found: Run | TaskflowError) -> NewRun | TaskflowError:
        """Plan a run like another: what its trigger fixed for that one time (key, delay, ttl, ...) is not copied."""
        record = self._kept(run_id, found)
        if isinstance(record, TaskflowError):
            return record
        options = TriggerOptions(
            queue=record.queue,
            concurrency_key=record.concurrency_key,
            machine=record.machine,
            tags=record.tags,
            metadata=to_json(record.metadata) if record.metadata else b"",
            test=record.is_test,
        )
        try:
            task = self._planner.known.task(record.task_id)
            payload = self._planner.large_values.resolved(record).payload
            new = self._planner.plan(task, payload, options, replay_of=record.id)
            if new.large:
                self._planner.large_values.write(new.large)
            return new
        except TaskflowError as error:
            return error

    def _cancels(self, run_ids: Sequence[str], action: BulkAction) -> Steps[list[str]]:
        """Cancel runs. Returns those whose children, or whose whereabouts, need more than one look."""
        results = yield from self._each(run_ids, lambda run_id: operations.runs.cancel_run(run_id, CANCELED_BY_USER))
        canceled = [run_id for run_id, result in zip(run_ids, results, strict=True) if result is True]
        failures = [
            BulkFailure(run_id, str(result) if isinstance(result, TaskflowError) else "It had ended already.")
            for run_id, result in zip(run_ids, results, strict=True)
            if result is not True
        ]
        action.add(len(canceled), failures)
        shards = range(self._planner.shards)
        named = [run_id for run_id in canceled if shard_of_run(run_id) is not None or len(shards) == 1]
        children = yield [
            (operations.runs.cancel_children(run_id, PARENT_CANCELED), shard) for run_id in named for shard in shards
        ]
        count = len(shards)
        parents = [run_id for index, run_id in enumerate(named) if any(children[index * count : (index + 1) * count])]
        grandchildren = [child for found in children for child in found]
        yield [
            (operations.nodes.drop_effect(effect_of_cancel(run_id)), shard_of_run(run_id) or 0)
            for run_id in named
            if run_id not in set(parents)
        ]
        return [*parents, *grandchildren]

    def _each(self, run_ids: Sequence[str], make: Callable[[str], Operation[Any]]) -> Steps[list[Any]]:
        """Execute one operation for each run, wherever it is; returns results and errors in their order."""
        shard_sets = [shards_of_run(run_id, self._planner.shards) for run_id in run_ids]
        results = iter(
            (
                yield [
                    (make(run_id), shard)
                    for run_id, shards in zip(run_ids, shard_sets, strict=True)
                    for shard in shards
                ]
            )
        )
        return [found([next(results) for _ in shards]) for shards in shard_sets]


def _started(kind: BulkKind, run_ids: Sequence[str]) -> tuple[BulkAction, list[Sequence[str]]]:
    ids = list(dict.fromkeys(run_ids))
    return BulkAction(kind, len(ids)), [ids[start : start + RUNS_A_PART] for start in range(0, len(ids), RUNS_A_PART)]


def _count(action: BulkAction, run_ids: Sequence[str], results: Sequence[str | TaskflowError]) -> None:
    made = [result for result in results if isinstance(result, str)]
    failures = [
        BulkFailure(run_id, str(result))
        for run_id, result in zip(run_ids, results, strict=True)
        if isinstance(result, TaskflowError)
    ]
    action.add(len(made), failures, made)


def _newest(runs: Sequence[Run]) -> list[Run]:
    known = {run.id: run for run in runs}  # the store's word, which comes last, counts
    return sorted(known.values(), key=lambda run: (run.created_at, run.id), reverse=True)
