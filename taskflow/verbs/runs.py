"""Verbs that change or follow runs: replay, reschedule, tags, subscribe, bulk. ``runs`` inherits them."""

from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from datetime import datetime

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.bulk import BulkAction, OnProgress
from taskflow.definition.calls.run_filter import ALL_RUNS, RunFilter, check_filter
from taskflow.definition.calls.trigger_options import check_due, check_tags
from taskflow.durations import Duration
from taskflow.errors import RunFilterError, RunNotFoundError
from taskflow.models import Run, RunStatus
from taskflow.texts import is_possible_id
from taskflow.verbs.current import engine
from taskflow.verbs.run_handle import RunHandle


class RunVerbs:
    """Verbs on runs by id, or by a filter."""

    def replay(self, run_id: str, *, keep_journal: bool = False, from_step: str | None = None) -> RunHandle[object]:
        """Make a new run like another one, whatever the status of that one.

        The new run has the payload, metadata, tags, queue, concurrency key, machine and ``test`` of the other. It does
        not have its idempotency key, delay, ttl, priority, ``max_attempts`` and ``max_duration``. The payload must fit
        the task as it is declared now.

        Args:
            keep_journal: Whether the run, a durable one that did not complete, takes over the steps, values and waits
                that the other has done. It does the rest.
            from_step: The name or key of a call in the journal: this one and all later ones are done again. Implies
                ``keep_journal``.

        Raises:
            RunNotFoundError: No such run.
            PayloadError: Its payload does not fit (any more).
            JournalNotKeptError: There is no journal of it (any more).
            StepNotFoundError: The journal has no such call, or several of that name.
        """
        refuse_in_event_loop("runs.replay", "runs.areplay")
        if keep_journal or from_step is not None:
            return RunHandle(engine().journals.replay(run_id, from_step))
        return RunHandle(engine().runs.replay(run_id))

    async def areplay(
        self, run_id: str, *, keep_journal: bool = False, from_step: str | None = None
    ) -> RunHandle[object]:
        """Make a new run like another one. See ``replay``."""
        if keep_journal or from_step is not None:
            return RunHandle(await engine().journals.areplay(run_id, from_step))
        return RunHandle(await engine().runs.areplay(run_id))

    def resume(self, run_id: str, from_step: str | None = None) -> RunStatus:
        """Let a durable run that waits for the code of its journal go on with the code that is up now.

        Its journal keeps the calls before a step; this one and all later ones are done again, in order. Runs that they
        have triggered before go on by themselves.

        Args:
            from_step: The name or key of a call in the journal; None: the first one that does not fit the code.

        Returns:
            The run's status.

        Raises:
            RunNotFoundError: No such run.
            NotResumableError: It does not wait for other code. It may have ended: see ``replay``.
            StepNotFoundError: The journal has no such call, or several of that name.
        """
        refuse_in_event_loop("runs.resume", "runs.aresume")
        return engine().journals.resume(run_id, from_step)

    async def aresume(self, run_id: str, from_step: str | None = None) -> RunStatus:
        """Let a durable run that waits for other code go on with the code that is up now. See ``resume``."""
        return await engine().journals.aresume(run_id, from_step)

    def reschedule(self, run_id: str, delay: Duration | datetime) -> datetime:
        """Move the start of a delayed run, earlier or later, and return the new instant.

        Args:
            delay: How long from now, or the aware instant.

        Raises:
            RunNotFoundError: No such run.
            RunNotDelayedError: It is not DELAYED (any more).
            TriggerOptionError: The delay is not possible.
        """
        refuse_in_event_loop("runs.reschedule", "runs.areschedule")
        return engine().runs.reschedule(run_id, check_due(delay))

    async def areschedule(self, run_id: str, delay: Duration | datetime) -> datetime:
        """Move the start of a delayed run. See ``reschedule``."""
        return await engine().runs.areschedule(run_id, check_due(delay))

    def add_tags(self, run_id: str, tags: str | Sequence[str]) -> int:
        """Add tags to a run, whatever its status. A tag that it already has changes nothing.

        Returns:
            How many were ignored because a run has at most 10.

        Raises:
            RunNotFoundError: No such run, or it has left the store.
            TriggerOptionError: A tag is not 1 to 128 characters of text.
        """
        refuse_in_event_loop("runs.add_tags", "runs.aadd_tags")
        return engine().runs.add_tags(run_id, check_tags(tags))

    async def aadd_tags(self, run_id: str, tags: str | Sequence[str]) -> int:
        """Add tags to a run. See ``add_tags``."""
        return await engine().runs.aadd_tags(run_id, check_tags(tags))

    def subscribe(self, run_id: str) -> Generator[Run]:
        """Yield a run as it is now, then after every change as it happens, until it has ended.

        Changes are those of status, due time, tags and metadata. A lost connection is made again: no change is missed
        (the store keeps the last 200,000 of all runs) and none comes twice. A change that is read late may show
        later values in fields other than the status.

        Raises:
            RunNotFoundError: No such run.
            StoreUnavailableError: The store did not answer the first read. Later reads wait for it.
        """
        refuse_in_event_loop("runs.subscribe", "runs.asubscribe")
        return engine().runs.subscribe(run_id)

    def asubscribe(self, run_id: str) -> AsyncGenerator[Run]:
        """Yield a run as it is now, then after every change as it happens. See ``subscribe``."""
        return engine().runs.asubscribe(run_id)

    def bulk_cancel(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: RunFilter | None = None,
        on_progress: OnProgress | None = None,
    ) -> BulkAction:
        """Cancel many runs, 100 a write: those of ``ids``, or all that match the filter.

        Args:
            on_progress: Called after each write with the action, which it may ``abort()``.

        Returns:
            The action, with its counts. A run that had already ended counts as a failure.

        Raises:
            RunFilterError: Not exactly one of ids and a filter with conditions is given, or one is not possible.
            HistoryUnavailableError: The history's database did not answer.
        """
        refuse_in_event_loop("runs.bulk_cancel", "runs.abulk_cancel")
        return engine().runs.bulk("cancel", _selected(ids, where), on_progress)

    async def abulk_cancel(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: RunFilter | None = None,
        on_progress: OnProgress | None = None,
    ) -> BulkAction:
        """Cancel many runs. See ``bulk_cancel``."""
        return await engine().runs.abulk("cancel", _selected(ids, where), on_progress)

    def bulk_replay(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: RunFilter | None = None,
        on_progress: OnProgress | None = None,
    ) -> BulkAction:
        """Replay many runs, 100 a write. The action has the new runs as ``run_ids``. See ``bulk_cancel``."""
        refuse_in_event_loop("runs.bulk_replay", "runs.abulk_replay")
        return engine().runs.bulk("replay", _selected(ids, where), on_progress)

    async def abulk_replay(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: RunFilter | None = None,
        on_progress: OnProgress | None = None,
    ) -> BulkAction:
        """Replay many runs. See ``bulk_replay``."""
        return await engine().runs.abulk("replay", _selected(ids, where), on_progress)


def _selected(ids: Iterable[str] | None, where: RunFilter | None) -> list[str] | RunFilter:
    if ids is not None and where is None:
        given = [ids] if isinstance(ids, str) else list(ids)
        for run_id in given:
            if not is_possible_id(run_id):
                raise RunNotFoundError(run_id)
        return given
    if ids is None and where is not None and where != ALL_RUNS:
        return check_filter(where)
    remedy = "Give either the runs' ids or where=RunFilter(...) with at least one condition."
    raise RunFilterError("where", where, remedy)
