"""The engine behind ``runs.resume`` and replays that keep a journal: durable runs that go on from what is done."""

import json
from collections.abc import Callable
from functools import partial

from taskflow.engine.lookup import Lookup
from taskflow.engine.loops import Loop
from taskflow.engine.many_runs import ManyRuns
from taskflow.engine.round_trips import Blocking, OnRun, Steps, adrive, checked, drive
from taskflow.errors import JournalNotKeptError, NotResumableError, RunNotFoundError
from taskflow.models import RunStatus
from taskflow.seams.journal_cut import calls_from, calls_not_done
from taskflow.store import operations
from taskflow.store.operations.explanation import explain_run
from taskflow.store.operations.journal import StoredJournal, cut_journal, read_journal
from taskflow.store.sync_store import Store
from taskflow.store.wire import locate


class JournalEngine:
    """Journals of runs by id. A step is named by its name or its key; None is the first that does not fit the code."""

    def __init__(self, many: ManyRuns, lookup: Lookup, store: Store, loop: Callable[[], Loop], shards: int) -> None:
        self._many, self._lookup, self._store, self._loop, self._shards = many, lookup, store, loop, shards

    def resume(self, run_id: str, step: str | None) -> RunStatus:
        """Let a run that waits for other code go on from a step. Returns its status."""
        return drive(self._store, self._resume(run_id, step))

    async def aresume(self, run_id: str, step: str | None) -> RunStatus:
        """Let a run that waits for other code go on from a step. Returns its status."""
        return await adrive(self._loop().store, self._resume(run_id, step))

    def replay(self, run_id: str, step: str | None) -> str:
        """Make a run like another one that goes on from what that one has done, or from a step. Returns its id."""
        return drive(self._store, self._replay(run_id, step, self._store.missing_templates))

    async def areplay(self, run_id: str, step: str | None) -> str:
        """Make a run like another one that goes on from what that one has done, or from a step. Returns its id."""
        store = self._loop().store
        return await adrive(store, self._replay(run_id, step, store.missing_templates))

    def _resume(self, run_id: str, step: str | None) -> Steps[RunStatus]:
        explained = yield OnRun(run_id, explain_run(run_id))
        misfit = explained.fields.get("misfit")
        if misfit is None:
            raise NotResumableError(run_id, str(explained.run.status))
        journal: StoredJournal = yield from self._journal(run_id)
        dropped = calls_from(run_id, journal.entries, step or str(json.loads(misfit)["key"]))
        status: RunStatus = yield OnRun(run_id, cut_journal(run_id, sorted(dropped)))
        return status

    def _replay(self, run_id: str, step: str | None, missing: set[str]) -> Steps[str]:
        journal: StoredJournal = yield from self._journal(run_id)
        if not journal.entries:
            raise JournalNotKeptError(run_id, (yield from self._status(run_id)))
        dropped = calls_not_done(journal.entries, journal.values)
        if step is not None:
            dropped |= calls_from(run_id, journal.entries, step)
        kept = StoredJournal(
            {key: entry for key, entry in journal.entries.items() if key not in dropped},
            {key: values for key, values in journal.values.items() if key in journal.entries and key not in dropped},
        )
        made = yield from self._many.replay([run_id], missing, {run_id: kept})
        return str(checked(made[0]))

    def _journal(self, run_id: str) -> Steps[StoredJournal]:
        results = yield [(read_journal(run_id), shard) for shard in locate(run_id, self._shards)]
        journals: list[StoredJournal] = [checked(result) for result in results]
        return max(journals, key=lambda journal: len(journal.entries))

    def _status(self, run_id: str) -> Steps[str]:
        try:
            record = yield OnRun(run_id, operations.runs.read_run(run_id))
        except RunNotFoundError:
            record = yield Blocking(partial(self._lookup.retrieve, run_id))
        return str(record.status)
