"""Verbs without a task object: ``tasks.trigger("hello-world", ...)`` and ``runs.retrieve("run_...")``."""

from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Sequence
from typing import Final, Unpack

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.batch_item import BatchCommitKeywords, BatchKeywords, BatchOptions
from taskflow.definition.calls.log_line import LogLine
from taskflow.definition.calls.run_filter import (
    ALL_RUNS,
    RunField,
    RunFilter,
    RunPage,
    check_fields,
    check_filter,
    check_page_size,
)
from taskflow.definition.calls.task_result import TaskResult
from taskflow.definition.calls.trigger_options import CommitKeywords, TriggerKeywords, TriggerOptions
from taskflow.definition.hook_decorators import Hooked
from taskflow.definition.hook_sets import HookSet, declared_hooks
from taskflow.models import Run
from taskflow.verbs import at_commit
from taskflow.verbs.batch_handle import BatchHandle
from taskflow.verbs.current import engine
from taskflow.verbs.run_handle import RunHandle
from taskflow.verbs.runs import RunVerbs
from taskflow.verbs.trigger_and_wait import (
    await_for_batch,
    await_for_run,
    wait_for_batch,
    wait_for_run,
)


class Tasks(Hooked):
    """Tasks by id, untyped. Their code may be on the workers only.

    Hooks declared here are those of all tasks: ``@tasks.on_failure``, or ``@tasks.on_failure("alert")`` with a name.
    """

    def hook_set(self) -> HookSet:
        """Return the hooks of all tasks."""
        return declared_hooks

    def trigger(
        self,
        id: str,
        payload: object = None,
        **options: Unpack[CommitKeywords],
    ) -> RunHandle[object]:
        """Make a run of the task with an id. The options are those of ``Task.trigger``.

        If this process does not declare the task, the declaration that workers have registered counts. The payload is
        then any JSON, which is checked when the run starts. Until a worker has registered the task, the run is
        PENDING_VERSION. A warning suggests a similar id, if this process declares one.

        Raises:
            DefinitionError: That can't be the id of a task.
            PayloadError: The payload does not fit.
            TriggerOptionError: An option is not possible.
            StoreUnavailableError: The store did not answer. The error's ``may_exist`` is True if the run may exist.
        """
        refuse_in_event_loop("tasks.trigger", "tasks.atrigger")
        on_commit = options.pop("on_commit", None)
        return at_commit.trigger(id, payload, TriggerOptions.checked(**options), on_commit)

    async def atrigger(
        self,
        id: str,
        payload: object = None,
        **options: Unpack[TriggerKeywords],
    ) -> RunHandle[object]:
        """Make a run of the task with an id. See ``trigger``."""
        checked = TriggerOptions.checked(**options)
        run_id, is_cached = await engine().runs.atrigger(id, payload, checked)
        return RunHandle(run_id, is_cached=is_cached)

    def batch_trigger(
        self,
        id: str,
        items: Iterable[object],
        **options: Unpack[BatchCommitKeywords],
    ) -> BatchHandle[object]:
        """Make a run of each item, of the task with an id. See ``trigger`` and ``Task.batch_trigger``."""
        refuse_in_event_loop("tasks.batch_trigger", "tasks.abatch_trigger")
        on_commit = options.pop("on_commit", None)
        return at_commit.trigger_batch(id, items, BatchOptions.checked(**options), on_commit)

    async def abatch_trigger(
        self,
        id: str,
        items: Iterable[object] | AsyncIterable[object],
        **options: Unpack[BatchKeywords],
    ) -> BatchHandle[object]:
        """Make a run of each item, of the task with an id. See ``trigger`` and ``Task.batch_trigger``."""
        checked = BatchOptions.checked(**options)
        return BatchHandle(await engine().batches.atrigger(id, items, checked))

    def trigger_and_wait(
        self, id: str, payload: object = None, **options: Unpack[TriggerKeywords]
    ) -> TaskResult[object]:
        """Make a run of the task with an id and wait until it has ended. See ``Task.trigger_and_wait``."""
        refuse_in_event_loop("tasks.trigger_and_wait", "tasks.atrigger_and_wait")
        return wait_for_run("tasks.trigger_and_wait", id, payload, TriggerOptions.checked(**options))

    async def atrigger_and_wait(
        self, id: str, payload: object = None, **options: Unpack[TriggerKeywords]
    ) -> TaskResult[object]:
        """Make a run of the task with an id and wait until it has ended. See ``Task.trigger_and_wait``."""
        return await await_for_run("tasks.atrigger_and_wait", id, payload, TriggerOptions.checked(**options))

    def batch_trigger_and_wait(
        self, id: str, items: Iterable[object], **options: Unpack[BatchKeywords]
    ) -> Sequence[TaskResult[object]]:
        """Make a run of each item and wait until all have ended. See ``Task.batch_trigger_and_wait``."""
        refuse_in_event_loop("tasks.batch_trigger_and_wait", "tasks.abatch_trigger_and_wait")
        return wait_for_batch("tasks.batch_trigger_and_wait", id, items, BatchOptions.checked(**options))

    async def abatch_trigger_and_wait(
        self, id: str, items: Iterable[object] | AsyncIterable[object], **options: Unpack[BatchKeywords]
    ) -> Sequence[TaskResult[object]]:
        """Make a run of each item and wait until all have ended. See ``Task.batch_trigger_and_wait``."""
        return await await_for_batch("tasks.abatch_trigger_and_wait", id, items, BatchOptions.checked(**options))


class Runs(RunVerbs):
    """Runs by id."""

    def retrieve(self, run_id: str) -> Run:
        """Return a run's record.

        Raises:
            RunNotFoundError: No such run.
        """
        refuse_in_event_loop("runs.retrieve", "runs.aretrieve")
        return engine().runs.retrieve(run_id)

    async def aretrieve(self, run_id: str) -> Run:
        """Return a run's record. See ``retrieve``."""
        return await engine().runs.aretrieve(run_id)

    def list(self, limit: int = 50, *, where: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        """Return a page of runs, newest first, without payload, output and attempts.

        Args:
            limit: 1 to 1,000.
            where: A filter. Default: all runs.
            cursor: The ``cursor`` of the page before.

        Raises:
            RunFilterError: The limit, a condition or the cursor is not possible.
            HistoryUnavailableError: The history's database did not answer.
        """
        refuse_in_event_loop("runs.list", "runs.alist")
        return engine().runs.list(check_page_size(limit), check_filter(where), cursor)

    async def alist(self, limit: int = 50, *, where: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        """Return a page of runs. See ``list``."""
        return await engine().runs.alist(check_page_size(limit), check_filter(where), cursor)

    def cancel(self, run_id: str) -> bool:
        """Cancel a run. Returns False when it had already ended.

        Raises:
            RunNotFoundError: No such run.
        """
        refuse_in_event_loop("runs.cancel", "runs.acancel")
        return engine().runs.cancel(run_id)

    async def acancel(self, run_id: str) -> bool:
        """Cancel a run. See ``cancel``."""
        return await engine().runs.acancel(run_id)

    def logs(self, run_id: str, *, follow: bool = False) -> Generator[LogLine]:
        """Yield the log lines and spans of a run, oldest first, each with the number of its attempt.

        Args:
            follow: Whether to go on with the lines to come, until the run has ended.

        Raises:
            RunNotFoundError: No such run.
            HistoryUnavailableError: The history's database did not answer.
        """
        refuse_in_event_loop("runs.logs", "runs.alogs")
        return engine().logs.lines(run_id, follow=follow)

    def alogs(self, run_id: str, *, follow: bool = False) -> AsyncGenerator[LogLine]:
        """Yield the log lines and spans of a run. See ``logs``."""
        return engine().logs.alines(run_id, follow=follow)

    def count(
        self, by: RunField | Sequence[RunField] = "status", *, where: RunFilter = ALL_RUNS
    ) -> dict[tuple[str, ...], int]:
        """Count runs by one or several of their fields: ``runs.count(["status", "task"])``.

        Args:
            by: ``"status"``, ``"task"``, ``"queue"``, ``"machine"``, ``"executor"``, ``"version"``.
            where: A filter. Default: all runs.

        Returns:
            The number of runs for each combination of values that occurs: ``{("FAILED", "hello-world"): 3}``.

        Raises:
            RunFilterError: A field or condition is not possible.
            HistoryUnavailableError: The history's database did not answer.
        """
        refuse_in_event_loop("runs.count", "runs.acount")
        return engine().runs.count(check_fields(by), check_filter(where))

    async def acount(
        self, by: RunField | Sequence[RunField] = "status", *, where: RunFilter = ALL_RUNS
    ) -> dict[tuple[str, ...], int]:
        """Count runs by one or several of their fields. See ``count``."""
        return await engine().runs.acount(check_fields(by), check_filter(where))

    def handle(self, run_id: str) -> RunHandle[object]:
        """Return the handle of a run made elsewhere."""
        return RunHandle(run_id)


tasks: Final = Tasks()
runs: Final = Runs()
