"""The engine behind ``schedules``. A schedule lives on the shard of its task's queue, so that a tick is one script."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from taskflow.definition.scheduling.missed import first_tick, tick_since
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.definition.scheduling.rule import Rule
from taskflow.definition.scheduling.schedule import Schedule, SchedulePage
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.caller import caller
from taskflow.engine.declarations import Declarations
from taskflow.engine.loops import Loop
from taskflow.engine.new_run import Planner
from taskflow.engine.round_trips import Steps, adrive, checked, drive
from taskflow.engine.schedules.plan import (
    check_payload,
    new_schedule_id,
    next_tick,
    run_of_tick,
    shard_of_schedule,
    warn_of_two_days,
)
from taskflow.errors import DeclaredScheduleError, ScheduleError, ScheduleNotFoundError, TaskflowError
from taskflow.store.operations.making import trigger_run
from taskflow.store.operations.registration import Registrations, read_workers
from taskflow.store.operations.schedules.calls import (
    NextTick,
    Written,
    drop_schedule,
    list_schedules,
    put_schedule,
    read_schedules,
)
from taskflow.store.operations.schedules.records import Read, StoredSchedule, ms, pause_fields, rule_fields
from taskflow.store.sync_store import Store
from taskflow.store.wire import derived_run_id, new_run_id, shard_of_queue
from taskflow.suggestions import near_miss

_ATTEMPTS: Final = 20
_PAGE: Final = 500
_NONE: Final = NextTick(None, None)


class ScheduleEngine:
    """Schedules by id. Each verb has an async twin of the same steps."""

    def __init__(self, planner: Planner, store: Store, loop: Callable[[], Loop], declarations: Declarations) -> None:
        self._planner, self._store, self._loop, self._declarations = planner, store, loop, declarations
        self._shards = planner.shards

    def create(self, task_id: str, options: ScheduleOptions) -> Schedule:
        """Make a schedule, or change the one that has the deduplication key."""
        return drive(self._store, self._create(task_id, options))

    async def acreate(self, task_id: str, options: ScheduleOptions) -> Schedule:
        """Make a schedule. See ``create``."""
        return await adrive(self._loop().store, self._create(task_id, options))

    def check_task(self, task_id: str, payload: object = None) -> None:
        """Refuse a task that a schedule can't be made for: nobody knows it, or it takes another payload."""
        drive(self._store, self._known_task(task_id, payload))

    def retrieve(self, schedule_id: str) -> Schedule:
        """Return a schedule."""
        return drive(self._store, self._retrieve(schedule_id))

    async def aretrieve(self, schedule_id: str) -> Schedule:
        """Return a schedule."""
        return await adrive(self._loop().store, self._retrieve(schedule_id))

    async def asome(self, schedule_ids: Sequence[str]) -> Sequence[Schedule]:
        """Return those of some schedules that are there, declared or removed ones among them, in any order."""
        return await adrive(self._loop().store, self._some(schedule_ids))

    def list(self, page: int, per_page: int, task_id: str | None = None) -> SchedulePage:
        """Return a page of schedules, in the order of their making."""
        return drive(self._store, self._list(page, per_page, task_id))

    async def alist(self, page: int, per_page: int, task_id: str | None = None) -> SchedulePage:
        """Return a page of schedules."""
        return await adrive(self._loop().store, self._list(page, per_page, task_id))

    def update(self, schedule_id: str, changes: Mapping[str, object], task_id: str | None = None) -> Schedule:
        """Change a schedule. No tick of the old rule fires after that."""
        return drive(self._store, self._update(schedule_id, changes, task_id))

    async def aupdate(self, schedule_id: str, changes: Mapping[str, object], task_id: str | None = None) -> Schedule:
        """Change a schedule. See ``update``."""
        return await adrive(self._loop().store, self._update(schedule_id, changes, task_id))

    def activate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire again."""
        return drive(self._store, self._set_active(schedule_id, is_active=True))

    async def aactivate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire again."""
        return await adrive(self._loop().store, self._set_active(schedule_id, is_active=True))

    def deactivate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire no more, until it is activated."""
        return drive(self._store, self._set_active(schedule_id, is_active=False))

    async def adeactivate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire no more, until it is activated."""
        return await adrive(self._loop().store, self._set_active(schedule_id, is_active=False))

    def delete(self, schedule_id: str) -> None:
        """Delete a schedule. Its runs stay."""
        drive(self._store, self._delete(schedule_id))

    async def adelete(self, schedule_id: str) -> None:
        """Delete a schedule. Its runs stay."""
        await adrive(self._loop().store, self._delete(schedule_id))

    def run_now(self, schedule_id: str) -> str:
        """Make a run now, besides the ticks. Returns its id."""
        return drive(self._store, self._run_now(schedule_id, self._store.missing_templates))

    async def arun_now(self, schedule_id: str, *, seed: str | None = None) -> str:
        """Make a run now. See ``run_now``.

        Args:
            seed: Text from which the run's id follows, so that a repeated call makes no second run.
        """
        store = self._loop().store
        return await adrive(store, self._run_now(schedule_id, store.missing_templates, seed))

    def _create(self, task_id: str, options: ScheduleOptions) -> Steps[Schedule]:
        definition = yield from self._known_task(task_id, options.payload)
        shard = self._shard(definition)
        key = options.deduplication_key
        schedule_id = new_schedule_id(shard, key)
        if key is not None and self._shards > 1:
            yield from self._check_other_shards(key, shard, task_id)
        for _ in range(_ATTEMPTS):
            read: Read = yield read_schedules([schedule_id]), shard
            known = read.found[0] if read.found else None
            written = yield from self._write(shard, schedule_id, known, task_id, options, read.now)
            if written.is_done and written.record:
                warn_of_two_days(schedule_id, options)
                return written.record.schedule
            if key is None and written.record:  # the reply to the first call was lost
                return written.record.schedule
        raise _busy(schedule_id)

    def _write(
        self,
        shard: int,
        schedule_id: str,
        known: StoredSchedule | None,
        task_id: str,
        options: ScheduleOptions,
        now: datetime,
    ) -> Steps[Written]:
        """Write options. A schedule whose rule stays the same keeps its next tick."""
        before = known.schedule if known else None
        is_active = options.active if options.active is not None else before is None or before.is_active
        has_anchor = before is not None and before.anchor is not None and before.every == options.every
        anchor = before.anchor if has_anchor and before else (options.start if before is None else None) or now
        rule = Rule(options.cron, options.every, options.timezone, anchor if options.every else None, options.jitter)
        changes = {"task": task_id, **rule_fields(replace(options, active=is_active), rule.anchor)}
        following = _NONE
        if is_active:
            changes |= pause_fields(None)
        elif before is not None and before.is_active:
            changes |= pause_fields(now, caller())
        if not is_active:
            if before and before.next_run:
                changes["paused"] = ms(before.next_run)
        elif before and before.next_run and before.rule == rule:
            following = NextTick(before.next_run, before.next_fire, known.zones if known else "")
        else:
            changes["paused"] = ""
            start = options.start if before is None else None
            following = next_tick(rule, schedule_id, tick_since(rule, options.catch_up, start, now))
        revision = before.revision if before else None
        written: Written = yield put_schedule(schedule_id, revision, changes, following), shard
        return written

    def _retrieve(self, schedule_id: str) -> Steps[Schedule]:
        _, stored, _ = yield from self._read(schedule_id)
        return stored.schedule

    def _read(self, schedule_id: str) -> Steps[tuple[int, StoredSchedule, datetime]]:
        shard = shard_of_schedule(schedule_id, self._shards)
        read: Read = yield read_schedules([schedule_id]), shard
        if not read.found or read.found[0].is_removed:
            raise ScheduleNotFoundError(schedule_id)
        return shard, read.found[0], read.now

    def _some(self, schedule_ids: Sequence[str]) -> Steps[Sequence[Schedule]]:
        by_shard: dict[int, list[str]] = {}
        for schedule_id in schedule_ids:
            with contextlib.suppress(ScheduleNotFoundError):  # an id of a store with more shards
                by_shard.setdefault(shard_of_schedule(schedule_id, self._shards), []).append(schedule_id)
        reads = yield [(read_schedules(ids), shard) for shard, ids in by_shard.items()]
        return [each.schedule for read in reads for each in checked(read).found]

    def _changeable(self, schedule_id: str) -> Steps[tuple[int, StoredSchedule, datetime]]:
        shard, stored, now = yield from self._read(schedule_id)
        if stored.schedule.is_declared:
            raise DeclaredScheduleError(schedule_id, stored.schedule.task_id)
        return shard, stored, now

    def _list(self, page: int, per_page: int, task_id: str | None) -> Steps[SchedulePage]:
        end = page * per_page
        if task_id is not None:
            return (yield from self._list_of_task(page, per_page, task_id))
        if self._shards == 1:
            read: Read = yield list_schedules(end - per_page, per_page), 0
            return SchedulePage(tuple(each.schedule for each in read.found), read.total, page, per_page)
        reads = yield [(list_schedules(0, end), shard) for shard in range(self._shards)]
        found = [each.schedule for result in reads for each in checked(result).found]
        found.sort(key=lambda each: (each.created_at, each.id))
        total = sum(checked(result).total for result in reads)
        return SchedulePage(tuple(found[end - per_page : end]), total, page, per_page)

    def _list_of_task(self, page: int, per_page: int, task_id: str) -> Steps[SchedulePage]:
        shard = self._shard(self._planner.known.task(task_id))
        found: list[Schedule] = []
        offset, total = 0, 1
        while offset < total:
            read: Read = yield list_schedules(offset, _PAGE), shard
            found += [each.schedule for each in read.found if each.schedule.task_id == task_id]
            offset, total = offset + _PAGE, read.total
        end = page * per_page
        return SchedulePage(tuple(found[end - per_page : end]), len(found), page, per_page)

    def _update(self, schedule_id: str, changes: Mapping[str, object], task_id: str | None) -> Steps[Schedule]:
        for _ in range(_ATTEMPTS):
            shard, stored, now = yield from self._changeable(schedule_id)
            task = task_id or stored.schedule.task_id
            options = ScheduleOptions.of(stored.schedule).changed(changes)
            if task != stored.schedule.task_id or options.payload != stored.schedule.payload:
                definition = yield from self._known_task(task, options.payload)
                if self._shard(definition) != shard:
                    remedy = "Delete the schedule, and create one for the other task."
                    what = "The queues of the two tasks are on different shards"
                    raise ScheduleError(what, option="task", value=task, remedy=remedy)
            written = yield from self._write(shard, schedule_id, stored, task, options, now)
            if written.is_done and written.record:
                return written.record.schedule
        raise _busy(schedule_id)

    def _set_active(self, schedule_id: str, *, is_active: bool) -> Steps[Schedule]:
        for _ in range(_ATTEMPTS):
            shard, stored, now = yield from self._read(schedule_id)
            schedule = stored.schedule
            if schedule.is_active == is_active:
                return schedule
            changes = {"active": "0", "paused": ms(schedule.next_run), **pause_fields(now, caller())}
            following = _NONE
            if is_active:
                changes = {"active": "1", "paused": "", **pause_fields(None)}
                tick = first_tick(schedule.rule, schedule.catch_up, stored.paused_at, now)
                following = next_tick(schedule.rule, schedule.id, tick)
            written: Written = yield put_schedule(schedule_id, schedule.revision, changes, following), shard
            if written.is_done and written.record:
                return written.record.schedule
        raise _busy(schedule_id)

    def _delete(self, schedule_id: str) -> Steps[None]:
        yield drop_schedule(schedule_id), shard_of_schedule(schedule_id, self._shards)

    def _run_now(self, schedule_id: str, missing: set[str], seed: str | None = None) -> Steps[str]:
        shard, stored, now = yield from self._read(schedule_id)
        new_id = derived_run_id(shard, seed) if seed else new_run_id(shard)
        new = run_of_tick(self._planner, stored.schedule, now, shard, new_id)
        declaration = self._declarations.needed(new.task_id, shard, missing)
        if declaration:
            yield declaration, shard
            self._declarations.made(new.task_id, shard, missing)
        run_id: str
        run_id, _ = yield trigger_run(new), shard
        return run_id

    def _known_task(self, task_id: str, payload: object = None) -> Steps[TaskDefinition]:
        """Return a task that can be scheduled: declared here, or registered by a worker."""
        known = self._planner.known
        definition = known.task(task_id)
        if not known.is_foreign(task_id):
            check_payload(definition, payload)
            return definition
        registrations: Registrations = yield read_workers(), self._shard(definition)
        registered = [task.id for task in registrations.tasks]
        if task_id not in registered:
            near = near_miss(task_id, registered)
            hint = f"Did you mean {near!r}?" if near else "Start a worker that declares it first."
            what = "No worker has registered that task, and it is not declared in this process"
            raise ScheduleError(what, option="task", value=task_id, remedy=hint)
        return definition

    def _check_other_shards(self, key: str, shard: int, task_id: str) -> Steps[None]:
        others = [other for other in range(self._shards) if other != shard]
        reads = yield [(read_schedules([new_schedule_id(other, key)]), other) for other in others]
        for read in map(checked, reads):
            for each in read.found:
                what = f"The key belongs to schedule {each.schedule.id} of task {each.schedule.task_id!r}, whose queue"
                remedy = "Delete that schedule first, or use another key."
                raise ScheduleError(
                    f"{what} is on another shard than that of {task_id!r}",
                    option="deduplication_key",
                    value=key,
                    remedy=remedy,
                )

    def _shard(self, definition: TaskDefinition) -> int:
        return shard_of_queue(definition.queue_name, self._shards)


def _busy(schedule_id: str) -> TaskflowError:
    return ScheduleError(
        f"Schedule {schedule_id} was changed by others at each of {_ATTEMPTS} attempts",
        remedy="Nothing was written; try again.",
    )
