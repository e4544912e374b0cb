"""Bulk actions over HTTP. Their record has all that a process needs to perform them, part by part.

The server that begins an action performs it. When it is gone, another server or a worker claims the action and goes
on with the part that was not noted: a replay makes the same runs again, and a run that the action has canceled counts.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Sequence
from contextvars import copy_context

from taskflow.definition.calls.bulk import BulkKind
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.engine.caller import caller, name_caller
from taskflow.engine.loops import Loop
from taskflow.engine.many_runs import RUNS_A_PART, ManyRuns
from taskflow.engine.round_trips import Steps, adrive, drive
from taskflow.errors import HistoryUnavailableError, StoreUnavailableError
from taskflow.models import Run
from taskflow.store import operations
from taskflow.store.operations.serving.bulk_actions import (
    BulkProgress,
    ClaimedBulk,
    advance_bulk_action,
    begin_bulk_action,
    claim_bulk_action,
    plan_bulk_action,
    read_bulk_actions,
)
from taskflow.store.sync_store import Store

log = logging.getLogger("taskflow.server")
_IDS_A_WRITE = 5000


class BulkActions:
    """Begins bulk actions, reads and stops them, and goes on with those that have no performer."""

    def __init__(self, many: ManyRuns, store: Store, loop: Callable[[], Loop]) -> None:
        self._many, self._store, self._loop = many, store, loop
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(
        self, kind: BulkKind, selected: Sequence[str] | Sequence[RunFilter], name: str = "", seed: str | None = None
    ) -> str:
        """Begin an action on runs, by their ids or those that match any of some filters. Returns its id at once.

        Args:
            seed: Text from which its id follows: begun again, it is the same action.
        """
        digits = hashlib.sha256(seed.encode()).hexdigest()[:32] if seed else secrets.token_hex(16)
        action_id, store = f"bulk_{digits}", self._loop().store
        if await store.run(begin_bulk_action(action_id, kind, selected, name=name, by=caller())):
            progress = (await store.run(read_bulk_actions(action_id)))[0]
            filters = [each for each in selected if isinstance(each, RunFilter)]
            task = asyncio.create_task(self._perform(ClaimedBulk(progress, caller(), filters, 1)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return action_id

    async def read(self, action_id: str) -> BulkProgress:
        """Return an action.

        Raises:
            BulkActionNotFoundError: There is none (any more).
        """
        return (await self._loop().store.run(read_bulk_actions(action_id)))[0]

    async def list(self) -> Sequence[BulkProgress]:
        """Return all actions that are remembered, newest first."""
        return await self._loop().store.run(read_bulk_actions())

    async def abort(self, action_id: str) -> None:
        """Stop an action before its next part.

        Raises:
            BulkActionNotFoundError: There is none (any more).
        """
        await self._loop().store.run(read_bulk_actions(action_id, is_to_stop=True))

    async def atake_over(self) -> None:
        """Go on with the actions that have no performer, one after the other."""
        while claimed := await self._loop().store.run(claim_bulk_action()):
            log.info("bulk.taken_over: %s", claimed.progress.id)
            await asyncio.create_task(self._perform(claimed))

    def take_over(self, is_stopping: Callable[[], bool]) -> None:
        """Go on with the actions that have no performer. See ``atake_over``."""
        while not is_stopping() and (claimed := self._store.run(claim_bulk_action())):
            log.info("bulk.taken_over: %s", claimed.progress.id)
            copy_context().run(self._perform_here, claimed, is_stopping)

    async def _perform(self, claimed: ClaimedBulk) -> None:
        name_caller(_name(claimed), f"bulk {claimed.by}")
        store = self._loop().store
        try:
            await adrive(store, self._parts(claimed, store.missing_templates, lambda: False))
        except Exception as error:  # noqa: BLE001 - the task is nobody's
            if _ends(claimed, error):
                await self.abort(claimed.progress.id)

    def _perform_here(self, claimed: ClaimedBulk, is_stopping: Callable[[], bool]) -> None:
        name_caller(_name(claimed), f"bulk {claimed.by}")
        try:
            drive(self._store, self._parts(claimed, self._store.missing_templates, is_stopping))
        except Exception as error:  # noqa: BLE001 - the other actions go on
            if _ends(claimed, error):
                self._store.run(read_bulk_actions(claimed.progress.id, is_to_stop=True))

    def _parts(self, claimed: ClaimedBulk, missing: set[str], is_stopping: Callable[[], bool]) -> Steps[None]:
        action, claim = claimed.progress, claimed.claim
        if action.total is None and not (yield from self._search(claimed)):
            return
        success, failure = action.success, action.failure
        may_be_done = claim > 1
        while not is_stopping():
            note = advance_bulk_action(action.id, claim, success=success, failure=failure, size=RUNS_A_PART)
            run_ids: Sequence[str] = yield note, 0
            if not run_ids:
                return
            part = yield from self._many.bulk(action.kind, run_ids, None, missing, action.id)
            before = 0
            if may_be_done and action.kind == "cancel":
                before = yield from self._canceled_before([each.run_id for each in part.failures])
            success, failure = success + part.success + before, failure + part.failure - before
            may_be_done = False

    def _search(self, claimed: ClaimedBulk) -> Steps[bool]:
        """Write the ids of the action's runs. Returns whether the claim still holds.

        The store's runs come first, so that none is missed which leaves the store meanwhile. Their ids are remembered,
        because the history has copies of them; of the history's runs, perhaps millions, a page is in memory at a time.
        """
        known: set[str] = set()
        written, holds = 0, True
        for where in claimed.filters:
            stored = yield from self._many.ids_in_store(where)
            fresh = [run_id for run_id in stored if run_id not in known]
            known.update(fresh)
            cursor, has_more = None, True
            while holds:
                holds = yield from self._write(claimed, written, fresh)
                written += len(fresh)
                if not has_more:
                    break
                ids, cursor = yield from self._many.ids_in_history(where, cursor)
                has_more = cursor is not None
                fresh = [run_id for run_id in ids if run_id not in known]
                known.update(fresh if len(claimed.filters) > 1 else ())
        if holds:
            holds = yield plan_bulk_action(claimed.progress.id, claimed.claim, written, (), is_last=True), 0
        return holds

    def _write(self, claimed: ClaimedBulk, before: int, ids: Sequence[str]) -> Steps[bool]:
        """Write ids behind those that are written. Returns whether the claim still holds."""
        for start in range(0, len(ids), _IDS_A_WRITE):
            part = ids[start : start + _IDS_A_WRITE]
            if not (yield plan_bulk_action(claimed.progress.id, claimed.claim, before + start, part, is_last=False), 0):
                return False
        return True

    def _canceled_before(self, run_ids: Sequence[str]) -> Steps[int]:
        """Return how many of the runs this action has canceled in a part that was not noted."""
        by = caller()
        records = yield from self._many.each(run_ids, operations.runs.read_run)
        return sum(isinstance(run, Run) and run.canceled_by == by for run in records)


def _name(claimed: ClaimedBulk) -> str:
    """Return the caller of an action's verbs, the same in each process: a run's record names it."""
    return f"{claimed.by} ({claimed.progress.id})"


def _ends(claimed: ClaimedBulk, error: Exception) -> bool:
    """Log why an action stops here. Returns False when it can go on later, in any process."""
    if isinstance(error, StoreUnavailableError | HistoryUnavailableError):
        log.warning("bulk.waiting: %s: %s", claimed.progress.id, error)
        return False
    log.error("bulk.failed: %s ends; its record shows what was done", claimed.progress.id, exc_info=error)
    return True
