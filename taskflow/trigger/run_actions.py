"""The engine behind replay, reschedule, subscribe and bulk actions. Each verb's steps are written once."""

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic_core import to_json

from taskflow.definition.bulk import BulkAction, BulkFailure, BulkKind, OnProgress
from taskflow.definition.options import TriggerOptions
from taskflow.definition.selection import RunSelection
from taskflow.errors import TaskflowError
from taskflow.models import Run, RunError
from taskflow.store import batch_operations, node_operations, operations
from taskflow.store.operations import NewRun
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_run
from taskflow.trigger.declarations import Declarations
from taskflow.trigger.effects import PARENT_CANCELED, aperform_effect, effect_of_cancel, perform_effect
from taskflow.trigger.loops import Loop
from taskflow.trigger.new_run import Planner
from taskflow.trigger.steps import Steps, Write, adrive, checked, drive, found, shards_of_run
from taskflow.trigger.subscriptions import EventListener

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
    ) -> None:
        self._planner = planner
        self._store = store
        self._events = events
        self._loop = loop
        self._declarations = declarations

    def replay(self, run_id: str) -> str:
        """Make a new run like another one and return its id."""
        return str(checked(drive(self._store, self._replays([run_id], self._store.missing_templates))[0]))

    async def areplay(self, run_id: str) -> str:
        """Make a new run like another one and return its id."""
        store = self._loop().store
        return str(checked((await adrive(store, self._replays([run_id], store.missing_templates)))[0]))

    def reschedule(self, run_id: str, due: datetime | timedelta) -> datetime:
        """Give a delayed run another instant to start at and return that."""
        return self._store.run_for(run_id, operations.reschedule_run(run_id, due))

    async def areschedule(self, run_id: str, due: datetime | timedelta) -> datetime:
        """Give a delayed run another instant to start at and return that."""
        return await self._loop().store.run_for(run_id, operations.reschedule_run(run_id, due))

    def subscribe(self, run_id: str) -> Generator[Run]:
        """Yield a run as it is, and after every change."""
        return self._events.subscribe(run_id)

    def asubscribe(self, run_id: str) -> AsyncGenerator[Run]:
        """Yield a run as it is, and after every change."""
        return self._loop().events.subscribe(run_id)

    def find(self, selection: RunSelection, limit: int | None = None) -> list[Run]:
        """Return the newest of the selected runs."""
        return drive(self._store, self._find(selection))[:limit]

    async def afind(self, selection: RunSelection, limit: int | None = None) -> list[Run]:
        """Return the newest of the selected runs."""
        return (await adrive(self._loop().store, self._find(selection)))[:limit]

    def bulk(
        self, kind: BulkKind, selected: Sequence[str] | RunSelection, on_progress: OnProgress | None
    ) -> BulkAction:
        """Cancel or replay runs, part by part."""
        ids = [run.id for run in self.find(selected)] if isinstance(selected, RunSelection) else selected
        action, parts = _started(kind, ids)
        for part in parts:
            if action.is_aborted:
                break
            if kind == "cancel":
                parents = drive(self._store, self._cancels(part, action))
                for parent_id in parents:
                    perform_effect(self._store, shard_of_run(parent_id) or 0, effect_of_cancel(parent_id))
            else:
                _count(action, part, drive(self._store, self._replays(part, self._store.missing_templates)))
            if on_progress:
                on_progress(action)
        return action

    async def abulk(
        self, kind: BulkKind, selected: Sequence[str] | RunSelection, on_progress: OnProgress | None
    ) -> BulkAction:
        """Cancel or replay runs, part by part."""
        store = self._loop().store
        ids = [run.id for run in await self.afind(selected)] if isinstance(selected, RunSelection) else selected
        action, parts = _started(kind, ids)
        for part in parts:
            if action.is_aborted:
                break
            if kind == "cancel":
                parents = await adrive(store, self._cancels(part, action))
                for parent_id in parents:
                    await aperform_effect(store, shard_of_run(parent_id) or 0, effect_of_cancel(parent_id))
            else:
                _count(action, part, await adrive(store, self._replays(part, store.missing_templates)))
            if on_progress:
                on_progress(action)
        return action

    def _find(self, selection: RunSelection) -> Steps[list[Run]]:
        finals = {status.is_finished for status in selection.statuses} or {True, False}
        indexes = [index for index, is_final in ((":live", False), (":finished", True)) if is_final in finals]
        runs: dict[str, Run] = {}
        wanted = selection.wanted()
        cursors = {(index, shard): "0" for index in indexes for shard in range(self._planner.shards)}
        while cursors:
            places = list(cursors)
            results = yield [
                (batch_operations.find_runs(index, cursors[index, shard], _LOOKED_AT, wanted), shard)
                for index, shard in places
            ]
            for place, (cursor, matches) in zip(places, results, strict=True):
                runs.update((run.id, run) for run in matches)
                cursors[place] = cursor
            cursors = {place: cursor for place, cursor in cursors.items() if cursor != "0"}
        return sorted(runs.values(), key=lambda run: run.created_at, reverse=True)

    def _replays(self, run_ids: Sequence[str], missing: set[str]) -> Steps[list[str | TaskflowError]]:
        """Return the new run's id for each, or why there is none."""
        records = yield from self._each(run_ids, operations.read_run)
        plans = [record if isinstance(record, TaskflowError) else self._planned(record) for record in records]
        news = [new for new in plans if isinstance(new, NewRun)]
        needed = {(new.task_id, self._planner.shard(new)) for new in news}
        declared = [(self._declarations.needed(*where, missing), where[1]) for where in needed]
        first: list[Write] = [(operation, shard) for operation, shard in declared if operation]
        results = yield [*first, *((operations.trigger_run(new), self._planner.shard(new)) for new in news)]
        for where in needed:
            self._declarations.made(*where, missing)
        made = iter(results[len(first) :])
        return [next(made)[0] if isinstance(new, NewRun) else new for new in plans]

    def _planned(self, record: Run) -> NewRun | TaskflowError:
        """Plan a run like another: what its trigger fixed for that one time (key, delay, ttl, ...) is not copied."""
        options = TriggerOptions(
            queue=record.queue,
            concurrency_key=record.concurrency_key,
            machine=record.machine,
            tags=record.tags,
            metadata=to_json(record.metadata) if record.metadata else b"",
            test=record.is_test,
        )
        try:
            task = self._planner.registry.get(record.task_id)
            return self._planner.plan(task, record.payload, options, replay_of=record.id)
        except TaskflowError as error:
            return error

    def _cancels(self, run_ids: Sequence[str], action: BulkAction) -> Steps[list[str]]:
        """Cancel runs. Returns those whose children, or whose whereabouts, need more than one look."""
        results = yield from self._each(run_ids, lambda run_id: operations.cancel_run(run_id, CANCELED_BY_USER))
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
            (operations.cancel_children(run_id, PARENT_CANCELED), shard) for run_id in named for shard in shards
        ]
        count = len(shards)
        parents = [run_id for place, run_id in enumerate(named) if any(children[place * count : (place + 1) * count])]
        grandchildren = [child for found in children for child in found]
        yield [
            (node_operations.drop_effect(effect_of_cancel(run_id)), shard_of_run(run_id) or 0)
            for run_id in named
            if run_id not in set(parents)
        ]
        return [*parents, *grandchildren]

    def _each(self, run_ids: Sequence[str], make: Callable[[str], operations.Operation[Any]]) -> Steps[list[Any]]:
        """Execute one operation for each run, wherever it is; returns results and errors in their order."""
        places = [shards_of_run(run_id, self._planner.shards) for run_id in run_ids]
        results = iter(
            (yield [(make(run_id), shard) for run_id, shards in zip(run_ids, places, strict=True) for shard in shards])
        )
        return [found([next(results) for _ in shards]) for shards in places]


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
