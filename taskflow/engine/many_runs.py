"""Steps of the verbs on many runs: search the store, replay, cancel."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from pydantic_core import to_json

from taskflow.definition.calls.bulk import BulkAction, BulkFailure, BulkKind, OnProgress
from taskflow.definition.calls.run_filter import RunField, RunFilter
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.engine.caller import caller
from taskflow.engine.declarations import Declarations
from taskflow.engine.effects import PARENT_CANCELED, effect_of_cancel, perform
from taskflow.engine.lookup import A_PAGE, Lookup, matches, only_in_history
from taskflow.engine.new_run import Planner
from taskflow.engine.round_trips import Blocking, Steps, Write, checked, result_of_shards
from taskflow.errors import RunNotFoundError, TaskflowError
from taskflow.models import Run, RunError, RunStatus
from taskflow.store import operations
from taskflow.store.operations.journal import StoredJournal, plant_journal
from taskflow.store.operations.making import NewRun
from taskflow.store.operations.operation import Operation
from taskflow.store.wire import locate, shard_of_run

FoundT = TypeVar("FoundT")
RUNS_A_PART: Final = 100
_LOOKED_AT: Final = 500
NO_JOURNALS: Final[Mapping[str, StoredJournal]] = {}
CANCELED_BY_USER: Final = RunError("Canceled", "Canceled by user")


class ManyRuns:
    """Verbs on many runs, many in one write. ``missing`` are the tasks whose template the caller's store has lost."""

    def __init__(self, planner: Planner, declarations: Declarations, lookup: Lookup) -> None:
        self._planner, self._declarations, self._lookup = planner, declarations, lookup

    def find(self, where: RunFilter) -> Steps[list[Run]]:
        """Return all runs that match a filter, newest first."""
        old = yield Blocking(partial(self._lookup.all, where))
        return _newest([*old, *(yield from self.search(where))])

    def count(self, by: Sequence[RunField], where: RunFilter) -> Steps[dict[tuple[str, ...], int]]:
        """Count the runs that match a filter: those that have ended in the history, the others in the store."""
        counts: Counter[tuple[str, ...]] = Counter()
        finished = [status for status in where.statuses or RunStatus if status.is_finished]
        live = [status for status in where.statuses or RunStatus if not status.is_finished]
        ended = None
        if finished:
            ended = yield Blocking(partial(self._lookup.count, by, replace(where, status=finished)))
            counts.update(ended or {})
        wanted = live if ended is not None else [*live, *finished]
        if wanted:
            runs = yield from self.search(replace(where, status=wanted))
            counts.update(tuple(_value(run, field) for field in by) for run in runs)
        return dict(sorted(counts.items()))

    def bulk(
        self,
        kind: BulkKind,
        selected: Sequence[str] | RunFilter,
        on_progress: OnProgress | None,
        missing: set[str],
        seed: str | None = None,
    ) -> Steps[BulkAction]:
        """Cancel or replay runs, part by part. ``seed``: see ``replay``."""
        ids = [run.id for run in (yield from self.find(selected))] if isinstance(selected, RunFilter) else selected
        action, parts = _started(kind, ids)
        for part in parts:
            if action.is_aborted:
                break
            if kind == "cancel":
                for parent_id in (yield from self._cancels(part, action)):
                    shard = shard_of_run(parent_id) or 0
                    yield from perform(shard, effect_of_cancel(parent_id), self._planner.shards)
            else:
                _count(action, part, (yield from self.replay(part, missing, seed=seed)))
            if on_progress:
                on_progress(action)
        return action

    def search(self, where: RunFilter) -> Steps[list[Run]]:
        """Return all runs of the store that match a filter, unordered."""
        return (yield from self._found(where, lambda run: run))

    def ids_in_store(self, where: RunFilter) -> Steps[list[str]]:
        """Return the ids of those runs, newest first."""
        ids = yield from self._found(where, lambda run: run.id)
        return sorted(set(ids), reverse=True)  # an id has the instant at which its run was made

    def ids_in_history(self, where: RunFilter, cursor: str | None) -> Steps[tuple[list[str], str | None]]:
        """Return the ids of a page of the history's runs that match a filter, newest first, and the next page."""
        page = yield Blocking(partial(self._lookup.page, (), where, A_PAGE, cursor))
        return [run.id for run in page], page.cursor

    def _found(self, where: RunFilter, taken: Callable[[Run], FoundT]) -> Steps[list[FoundT]]:
        if only_in_history(where):
            return []
        finals = {status.is_finished for status in where.statuses} or {True, False}
        indexes = [index for index, is_final in ((":live", False), (":finished", True)) if is_final in finals]
        found: list[FoundT] = []
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
                found += [taken(run) for run in candidates if matches(run, where)]
                cursors[index] = cursor
            cursors = {index: cursor for index, cursor in cursors.items() if cursor != "0"}
        return found

    def replay(
        self,
        run_ids: Sequence[str],
        missing: set[str],
        journals: Mapping[str, StoredJournal] = NO_JOURNALS,
        seed: str | None = None,
    ) -> Steps[list[str | TaskflowError]]:
        """Make a new run like each of the runs. Returns the new id of each, or its error.

        Args:
            journals: What new runs take over, by the ids of the old ones.
            seed: Text from which the new runs' ids follow: replayed again, they are the same runs.
        """
        records = yield from self.each(run_ids, operations.runs.read_run)
        plans = yield Blocking(partial(self._plans, run_ids, records, seed))  # it reads the history and large payloads
        return (yield from self._replays(plans, missing, journals))

    def _plans(
        self, run_ids: Sequence[str], records: Sequence[Run | TaskflowError], seed: str | None
    ) -> list[NewRun | TaskflowError]:
        return [self._planned(run_id, record, seed) for run_id, record in zip(run_ids, records, strict=True)]

    def kept(self, run_id: str, record: Run | TaskflowError) -> Run | TaskflowError:
        """Return the record, or that of the history if the store does not have the run (any more)."""
        if not isinstance(record, RunNotFoundError):
            return record
        try:
            return self._lookup.retrieve(run_id)
        except TaskflowError as error:
            return error

    def _replays(
        self,
        plans: Sequence[NewRun | TaskflowError],
        missing: set[str],
        journals: Mapping[str, StoredJournal] = NO_JOURNALS,
    ) -> Steps[list[str | TaskflowError]]:
        """Return the new run's id of each, or its error."""
        news = [new for new in plans if isinstance(new, NewRun)]
        needed = {(new.task_id, self._planner.shard(new)) for new in news}
        declared = [(self._declarations.needed(*where, missing), where[1]) for where in needed]
        first: list[Write] = [(operation, shard) for operation, shard in declared if operation]
        plants: list[Write] = []
        for new in news:
            if (journal := journals.get(new.replay_of or "")) is not None:
                new.has_journal = True
                plants.append((plant_journal(new.id, journal), self._planner.shard(new)))
        if plants:  # a round trip of their own: a script that the server does not know yet is executed last of all
            for planted in (yield plants):
                checked(planted)
        results = yield [*first, *((operations.making.trigger_run(new), self._planner.shard(new)) for new in news)]
        for where in needed:
            self._declarations.made(*where, missing)
        made = iter(results[len(first) :])
        results = [next(made) if isinstance(new, NewRun) else new for new in plans]
        return [each if isinstance(each, TaskflowError) else each[0] for each in results]

    def _planned(self, run_id: str, result: Run | TaskflowError, seed: str | None) -> NewRun | TaskflowError:
        """Plan a run like another, without the options that hold for one trigger only (key, delay, ttl, ...)."""
        record = self.kept(run_id, result)
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
            own = None if seed is None else f"{seed} {run_id}"
            new = self._planner.plan(task, payload, options, replay_of=record.id, seed=own)
            if new.large:
                self._planner.large_values.write(new.large)
            return new
        except TaskflowError as error:
            return error

    def _cancels(self, run_ids: Sequence[str], action: BulkAction) -> Steps[list[str]]:
        """Cancel runs. Returns canceled runs, children among them, whose own children must still be canceled."""
        by = caller()
        results = yield from self.each(run_ids, lambda run_id: operations.runs.cancel_run(run_id, CANCELED_BY_USER, by))
        canceled = [run_id for run_id, result in zip(run_ids, results, strict=True) if result is True]
        failures = [
            BulkFailure(run_id, str(result) if isinstance(result, TaskflowError) else "It had ended already.")
            for run_id, result in zip(run_ids, results, strict=True)
            if result is not True
        ]
        action.add(len(canceled), failures)
        shards = range(self._planner.shards)
        named = [run_id for run_id in canceled if shard_of_run(run_id) is not None or len(shards) == 1]
        results = yield [
            (operations.runs.cancel_children(run_id, PARENT_CANCELED), shard) for run_id in named for shard in shards
        ]
        passes = [checked(result) for result in results]
        owners = [run_id for run_id in named for _ in shards]
        parents = list(dict.fromkeys(run_id for run_id, (ids, left) in zip(owners, passes, strict=True) if ids or left))
        children = [child for ids, _ in passes for child in ids]
        yield [
            (operations.nodes.drop_effect(effect_of_cancel(run_id)), shard_of_run(run_id) or 0)
            for run_id in named
            if run_id not in set(parents)
        ]
        return [*parents, *children]

    def each(self, run_ids: Sequence[str], make: Callable[[str], Operation[Any]]) -> Steps[list[Any]]:
        """Execute one operation for each run, on its shard. Returns results and errors in the order of the runs."""
        shard_sets = [locate(run_id, self._planner.shards) for run_id in run_ids]
        results = iter(
            (
                yield [
                    (make(run_id), shard)
                    for run_id, shards in zip(run_ids, shard_sets, strict=True)
                    for shard in shards
                ]
            )
        )
        return [result_of_shards([next(results) for _ in shards]) for shards in shard_sets]


def _value(run: Run, field: RunField) -> str:
    value = run.task_id if field == "task" else run.status.value if field == "status" else getattr(run, field)
    return str(value or "")


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
    known = {run.id: run for run in runs}  # the record of the store comes last and replaces that of the history
    return sorted(known.values(), key=lambda run: (run.created_at, run.id), reverse=True)
