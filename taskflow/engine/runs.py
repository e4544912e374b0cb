"""The engine behind ``Task`` and ``runs``. A run's record is first in the store, later in the history."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from taskflow.definition.calls.bulk import BulkAction, BulkKind, OnProgress
from taskflow.definition.calls.run_filter import ALL_RUNS, RunField, RunFilter, RunPage
from taskflow.definition.calls.task_result import run_failed
from taskflow.definition.calls.tokens import Token
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.caller import caller
from taskflow.engine.declarations import Declarations
from taskflow.engine.effects import effect_of_cancel, perform, shard_of_effect
from taskflow.engine.lookup import Lookup
from taskflow.engine.loops import Loop
from taskflow.engine.many_runs import CANCELED_BY_USER, ManyRuns
from taskflow.engine.new_run import Planner
from taskflow.engine.reasons.reason import Heartbeats, reason_of, reason_of_end
from taskflow.engine.results import Result, ResultListener
from taskflow.engine.round_trips import Blocking, OnRun, Steps, Twins, adrive, checked, drive
from taskflow.engine.subscriptions import EventListener
from taskflow.errors import RunNotFoundError, StoreFullError, StoreUnavailableError, TokenNotFoundError
from taskflow.models import Run, RunStatus
from taskflow.objects.address import is_address
from taskflow.objects.large_values import is_resolved
from taskflow.seams.engine import PlannedRun, Triggered
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.operations.explanation import Explained, explain_run
from taskflow.store.operations.making import NewRun
from taskflow.store.planned_documents import dump_run
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_token


class RunEngine:
    """Runs by id, and many runs at a time. Each verb has an async twin of the same steps."""

    def __init__(
        self,
        planner: Planner,
        store: Store,
        loop: Callable[[], Loop],
        results: ResultListener,
        events: EventListener,
        declarations: Declarations,
        lookup: Lookup,
        heartbeats: Heartbeats,
    ) -> None:
        self._heartbeats = heartbeats
        self._planner, self._large_values = planner, planner.large_values
        self._store, self._loop = store, loop
        self._results, self._events = results, events
        self._declarations, self._lookup = declarations, lookup
        self.many = ManyRuns(planner, declarations, lookup)

    def trigger(
        self,
        task: TaskDefinition | str,
        payload: object,
        options: TriggerOptions,
        waiter: Waiter | None = None,
        *,
        seed: str | None = None,
        replay_of: str | None = None,
    ) -> Triggered:
        """Make a run of a task, given by its definition or its id. The end of the run completes the waiter's item.

        Args:
            seed: Text from which the run's id follows: triggered again, the run is the same.
            replay_of: The run that is replayed.
        """
        new, shard = self._planned(task, payload, options, waiter, seed, replay_of)
        if self._is_one_step(new, shard, self._store.missing_templates):
            return _triggered(new, self._store.run(operations.making.trigger_run(new), shard=shard)[0])
        return drive(self._store, self._trigger(new, shard, self._store.missing_templates))

    async def atrigger(
        self,
        task: TaskDefinition | str,
        payload: object,
        options: TriggerOptions,
        waiter: Waiter | None = None,
        *,
        seed: str | None = None,
        replay_of: str | None = None,
    ) -> Triggered:
        """Make a run. See ``trigger``."""
        store = self._loop().store
        new, shard = self._planned(task, payload, options, waiter, seed, replay_of)
        if self._is_one_step(new, shard, store.missing_templates):
            return _triggered(new, (await store.run(operations.making.trigger_run(new), shard=shard))[0])
        return await adrive(store, self._trigger(new, shard, store.missing_templates))

    def plan(self, task: TaskDefinition | str, payload: object, options: TriggerOptions) -> PlannedRun:
        """Check a trigger and plan its run, without making it. Its delay begins when it is made."""
        new, _ = self._planned(task, payload, options, None, None, None)
        return PlannedRun(new.id, partial(self.make, new), partial(dump_run, new))

    def make(self, new: NewRun) -> Triggered:
        """Make a planned run. Called again, it makes no second one."""
        return drive(self._store, self._trigger(new, self._planner.shard(new), self._store.missing_templates))

    def status(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        return drive(self._store, self._status(run_id))

    async def astatus(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        return await adrive(self._loop().store, self._status(run_id))

    def retrieve(self, run_id: str) -> Run:
        """Return a run's record."""
        return drive(self._store, self._retrieve(run_id))

    async def aretrieve(self, run_id: str) -> Run:
        """Return a run's record."""
        return await adrive(self._loop().store, self._retrieve(run_id))

    def output(self, run_id: str, timeout: timedelta | None) -> bytes:
        """Return a run's output JSON once it has completed."""
        return drive(self._store, self._output(run_id, timeout))

    async def aoutput(self, run_id: str, timeout: timedelta | None) -> bytes:
        """Return a run's output JSON once it has completed."""
        return await adrive(self._loop().store, self._output(run_id, timeout))

    def cancel(self, run_id: str) -> bool:
        """Cancel a run. Returns False when it had already ended."""
        return drive(self._store, self._cancel(run_id))

    async def acancel(self, run_id: str) -> bool:
        """Cancel a run. Returns False when it had already ended."""
        return await adrive(self._loop().store, self._cancel(run_id))

    def replay(self, run_id: str) -> str:
        """Make a new run like another one and return its id."""
        return str(checked(drive(self._store, self.many.replay([run_id], self._store.missing_templates))[0]))

    async def areplay(self, run_id: str, *, seed: str | None = None) -> str:
        """Make a new run like another one and return its id. ``seed``: see ``trigger``."""
        store = self._loop().store
        replayed = await adrive(store, self.many.replay([run_id], store.missing_templates, seed=seed))
        return str(checked(replayed[0]))

    def reschedule(self, run_id: str, due: datetime | timedelta) -> datetime:
        """Move the start of a delayed run and return the new instant."""
        return self._store.run_for(run_id, operations.runs.reschedule_run(run_id, due))

    async def areschedule(self, run_id: str, due: datetime | timedelta) -> datetime:
        """Move the start of a delayed run and return the new instant."""
        return await self._loop().store.run_for(run_id, operations.runs.reschedule_run(run_id, due))

    def add_tags(self, run_id: str, tags: Sequence[str]) -> int:
        """Add tags to a run. Returns how many were ignored because a run has at most ten."""
        return self._store.run_for(run_id, operations.updates.add_tags(run_id, None, tags))

    async def aadd_tags(self, run_id: str, tags: Sequence[str]) -> int:
        """Add tags to a run. See ``add_tags``."""
        return await self._loop().store.run_for(run_id, operations.updates.add_tags(run_id, None, tags))

    async def areset_key(self, task_id: str, digest: str) -> bool:
        """Free an idempotency key of a task. Returns False when no run has it."""
        reset = operations.runs.reset_key(task_id, digest)
        holders = await self._loop().store.run_many([(reset, shard) for shard in range(self._planner.shards)])
        return any(checked(holder) is not None for holder in holders)

    def subscribe(self, run_id: str) -> Generator[Run]:
        """Yield a run as it is now, and after every change."""
        with contextlib.closing(self._events.subscribe(run_id)) as records:
            yield from map(self._large_values.resolved, records)

    async def asubscribe(self, run_id: str) -> AsyncGenerator[Run]:
        """Yield a run as it is now, and after every change."""
        async with contextlib.aclosing(self._loop().events.subscribe(run_id)) as records:
            async for run in records:
                yield run if is_resolved(run) else await asyncio.to_thread(self._large_values.resolved, run)

    def list(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        """Return up to ``limit`` runs, newest first."""
        return drive(self._store, self._list(limit, wanted, cursor))

    async def alist(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        """Return up to ``limit`` runs, newest first."""
        return await adrive(self._loop().store, self._list(limit, wanted, cursor))

    def find(self, where: RunFilter) -> Sequence[Run]:
        """Return all runs that match a filter, newest first, without payload, output and attempts."""
        return drive(self._store, self.many.find(where))

    async def afind(self, where: RunFilter) -> Sequence[Run]:
        """Return all runs that match a filter. See ``find``."""
        return await adrive(self._loop().store, self.many.find(where))

    def known_children(self, run_id: str) -> dict[str, RunStatus]:
        """Return the newest 100 runs that a run has triggered, as the history has them; none without a history."""
        if not self._lookup.is_ready():
            return {}
        return {run.id: run.status for run in self._lookup.page((), RunFilter(parent=run_id), 100, None)}

    def count(self, by: Sequence[RunField], where: RunFilter) -> dict[tuple[str, ...], int]:
        """Return how many runs have each combination of the values of some fields."""
        return drive(self._store, self.many.count(by, where))

    async def acount(self, by: Sequence[RunField], where: RunFilter) -> dict[tuple[str, ...], int]:
        """Return how many runs have each combination of the values of some fields."""
        return await adrive(self._loop().store, self.many.count(by, where))

    def bulk(self, kind: BulkKind, selected: Sequence[str] | RunFilter, on_progress: OnProgress | None) -> BulkAction:
        """Cancel or replay runs, part by part."""
        return drive(self._store, self.many.bulk(kind, selected, on_progress, self._store.missing_templates))

    async def abulk(
        self,
        kind: BulkKind,
        selected: Sequence[str] | RunFilter,
        on_progress: OnProgress | None,
        *,
        seed: str | None = None,
    ) -> BulkAction:
        """Cancel or replay runs, part by part. ``seed``: see ``trigger``."""
        store = self._loop().store
        return await adrive(store, self.many.bulk(kind, selected, on_progress, store.missing_templates, seed))

    def _planned(
        self,
        task: TaskDefinition | str,
        payload: object,
        options: TriggerOptions,
        waiter: Waiter | None,
        seed: str | None,
        replay_of: str | None,
    ) -> tuple[NewRun, int]:
        definition = self._planner.known.task(task) if isinstance(task, str) else task
        new = self._planner.plan(definition, payload, options, waiter=waiter, seed=seed, replay_of=replay_of)
        return new, self._planner.shard(new)

    def _is_one_step(self, new: NewRun, shard: int, missing: set[str]) -> bool:
        """Whether a trigger is one operation, as most are. Such a trigger saves some 5% CPU without a generator."""
        return new.large is None and self._declarations.needed(new.task_id, shard, missing) is None

    def _trigger(self, new: NewRun, shard: int, missing: set[str]) -> Steps[Triggered]:
        if new.large:
            yield Blocking(partial(self._large_values.write, new.large))
        declaration = self._declarations.needed(new.task_id, shard, missing)
        if declaration:
            with _before(new.id):
                yield declaration, shard
            self._declarations.made(new.task_id, shard, missing)
        run_id: str
        run_id, _ = yield operations.making.trigger_run(new), shard
        if new.large and run_id != new.id:
            yield Blocking(partial(self._large_values.discard, new.large))
        return _triggered(new, run_id)

    def _status(self, run_id: str) -> Steps[RunStatus]:
        try:
            end: Result = yield OnRun(run_id, operations.runs.read_result(run_id))
        except RunNotFoundError:
            old: Run = yield Blocking(partial(self._lookup.retrieve, run_id))
            return old.status
        return end[0]

    def _retrieve(self, run_id: str) -> Steps[Run]:
        explained: Explained
        run: Run
        try:
            explained = yield OnRun(run_id, explain_run(run_id))
            reason = reason_of(explained, self._heartbeats, (yield from self._token(explained.run)))
            run = replace(explained.run, reason=reason)
        except RunNotFoundError:
            run = yield Blocking(partial(self._lookup.retrieve, run_id))
            run = replace(run, reason=reason_of_end(run))
        if not is_resolved(run):
            run = yield Blocking(partial(self._large_values.resolved, run))
        return run

    def _token(self, run: Run) -> Steps[Token | None]:
        """Return the token that a run waits for, None if it waits for something else."""
        ids = [wait.name for wait in run.waits if wait.kind == "token"] if len(run.waits) == 1 else []
        shard = shard_of_token(ids[0]) if ids else None
        if shard is None or shard >= self._planner.shards:
            return None
        try:
            token: Token = yield operations.tokens.read_token(ids[0]), shard
        except TokenNotFoundError:
            return None
        return token

    def _output(self, run_id: str, timeout: timedelta | None) -> Steps[bytes]:
        end: Result
        try:
            end = yield Twins(
                lambda: self._results.wait(run_id, timeout), lambda: self._loop().results.wait(run_id, timeout)
            )
        except RunNotFoundError:
            end = yield Blocking(partial(self._lookup.end, run_id))
        status, output, error = end
        if status is not RunStatus.COMPLETED:
            raise run_failed(run_id, status, error)
        if output and is_address(output):
            output = yield Blocking(partial(self._large_values.load, output))
        return output or b"null"

    def _cancel(self, run_id: str) -> Steps[bool]:
        is_canceled: bool = yield OnRun(run_id, operations.runs.cancel_run(run_id, CANCELED_BY_USER, caller()))
        shard = shard_of_effect(run_id, self._planner.shards)
        if is_canceled and shard is not None:
            yield from perform(shard, effect_of_cancel(run_id), self._planner.shards)
        return is_canceled

    def _list(self, limit: int, wanted: RunFilter, cursor: str | None) -> Steps[RunPage]:
        recent: list[Run] = []
        if cursor is None and wanted != ALL_RUNS and not (yield Blocking(self._lookup.is_ready)):
            recent = yield from self.many.search(wanted)  # without a history only the store has the older runs
        elif cursor is None:
            shards = range(self._planner.shards)
            results = yield [(operations.runs.list_runs(limit), shard) for shard in shards]
            recent = [run for result in results for run in checked(result)]
        page: RunPage = yield Blocking(partial(self._lookup.page, recent, wanted, limit, cursor))
        return page


def _triggered(new: NewRun, run_id: str) -> Triggered:
    return Triggered(run_id, run_id != new.id)


@contextmanager
def _before(run_id: str) -> Generator[None]:
    """State in a StoreUnavailableError that the run was not made, because it is raised before that."""
    try:
        yield
    except StoreFullError as full:
        raise StoreFullError(run_id=run_id) from full
    except StoreUnavailableError as error:
        raise StoreUnavailableError(error.reason, run_id=run_id, may_exist=False) from error
