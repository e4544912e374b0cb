"""``Task``, which ``@task`` makes of a function, and its verbs. The engine does the work."""

import functools
from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.batch_item import BatchCommitKeywords, BatchItem, BatchKeywords, BatchOptions
from taskflow.definition.calls.trigger_options import CommitKeywords, TriggerKeywords, TriggerOptions
from taskflow.definition.celery_habits import about_method
from taskflow.definition.hook_decorators import Hooked
from taskflow.definition.hook_sets import HookSet
from taskflow.definition.task_definition import TaskDefinition
from taskflow.seams.transactions import TRANSACTIONS
from taskflow.verbs import at_commit
from taskflow.verbs.batch_handle import BatchHandle
from taskflow.verbs.current import engine
from taskflow.verbs.run_handle import RunHandle
from taskflow.verbs.trigger_and_wait import Subtask

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")
OutputT = TypeVar("OutputT")
ReturnT = TypeVar("ReturnT")
Rest = ParamSpec("Rest")


class Task(Hooked, Subtask[PayloadT, ResultT], Generic[PayloadT, ResultT]):
    """A task, typed by its payload and its result.

    Attributes:
        definition: The task's declaration.
    """

    def __init__(self, definition: TaskDefinition) -> None:
        """Wrap a definition. Users write ``@task()`` instead."""
        self.definition = definition

    def __repr__(self) -> str:
        return f"<Task {self.definition.id!r}>"

    if not TYPE_CHECKING:  # type checkers are to refuse what is not there

        def __getattr__(self, name: str) -> object:
            """Name what to write instead of an attribute of Celery's tasks."""
            definition = self.__dict__.get("definition")
            text = definition and about_method(definition.function.__name__, definition.id, name)
            raise AttributeError(
                text or f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
            )

    def hook_set(self) -> HookSet:
        """Return the task's hooks."""
        return self.definition.hooks

    @overload
    def trigger(
        self: "Task[None, OutputT]",
        payload: None = None,
        **options: Unpack[CommitKeywords],
    ) -> RunHandle[OutputT]: ...

    @overload
    def trigger(
        self,
        payload: PayloadT,
        **options: Unpack[CommitKeywords],
    ) -> RunHandle[ResultT]: ...

    def trigger(
        self,
        payload: object = None,
        **options: Unpack[CommitKeywords],
    ) -> RunHandle[Any]:  # callers see only the overloads
        """Make a run and return its handle. The payload is validated before anything is written.

        Args:
            payload: An instance of the annotated type, or data that validates as one.
            queue: Another queue than the task's.
            concurrency_key: Runs of one key share a limit of their own within the queue, e.g. a customer's id.
            machine: Another machine than the task's.
            delay: How long to wait before the run may start, or the aware instant from which it may.
            ttl: How long the run may wait in its queue for its first start; after that it is EXPIRED. 0: for ever.
            priority: Seconds by which the run counts as older in its queue's order; negative: as younger.
            tags: Up to 10 of 1 to 128 characters, in addition to the task's own.
            metadata: A JSON object of up to 256 KB that the run carries and may change.
            idempotency_key: Triggers of this task with the same key are one run. Within a run, text means a key of
                that run; see ``idempotency_keys.create``.
            idempotency_key_ttl: How long the key holds after its run has ended. Default, and at most: 30 days, or the
                retention without a history.
            max_attempts: Instead of the task's ``Retry.max_attempts``.
            max_duration: Compute time of an attempt, waits not counted, after which the run is TIMED_OUT. 0: no bound.
            debounce: Postpone a delayed run of the same key instead of making another.
            test: Mark the run as a test.
            on_commit: In a Django transaction the run is made when that is committed, and never when it is rolled
                back; the handle has its id at once. False: make it now. A name: the transaction of that database.

        Raises:
            PayloadError: The payload does not fit; PayloadTooLargeError when it is too large.
            TriggerOptionError: An option is not possible.
            DefinitionError: An annotation of the task cannot be used, or there is no such machine.
            StoreUnavailableError: The store did not answer. The error's ``may_exist`` is True if the run may exist.
            BlockingCallError: An event loop runs in this thread; await ``atrigger``.
        """
        refuse_in_event_loop(f"{self.definition.id}.trigger", f"{self.definition.id}.atrigger")
        on_commit = options.pop("on_commit", None)
        checked = TriggerOptions.checked(**options)
        if on_commit is not None or TRANSACTIONS.source is not None:
            return at_commit.trigger(self.definition, payload, checked, on_commit, self.definition.output)
        run_id, is_cached = engine().runs.trigger(self.definition, payload, checked)
        return RunHandle(run_id, self.definition.output, is_cached=is_cached)

    @overload
    async def atrigger(
        self: "Task[None, OutputT]",
        payload: None = None,
        **options: Unpack[TriggerKeywords],
    ) -> RunHandle[OutputT]: ...

    @overload
    async def atrigger(
        self,
        payload: PayloadT,
        **options: Unpack[TriggerKeywords],
    ) -> RunHandle[ResultT]: ...

    async def atrigger(
        self,
        payload: object = None,
        **options: Unpack[TriggerKeywords],
    ) -> RunHandle[Any]:  # callers see only the overloads
        """Make a run and return its handle, without blocking the event loop. See ``trigger``."""
        checked = TriggerOptions.checked(**options)
        run_id, is_cached = await engine().runs.atrigger(self.definition, payload, checked)
        return RunHandle(run_id, self.definition.output, is_cached=is_cached)

    def batch_trigger(
        self,
        items: Iterable[PayloadT | BatchItem[PayloadT]],
        **options: Unpack[BatchCommitKeywords],
    ) -> BatchHandle[ResultT]:
        """Make a run of each item, many in one write. A wrong item does not stop the others.

        Args:
            items: Up to 10,000 payloads, or ``BatchItem(payload, ...)`` with options of its own. An iterator is read
                to its end first.
            atomic: Check all items before the first write, and make no run when one of them is wrong.
            idempotency_key: Batches of this task with the same key are one: an item without a key of its own gets
                this one with its index.
            idempotency_key_ttl: The ttl of the items without one of their own. Default: the retention.
            on_commit: See ``trigger``.

        Returns:
            The batch's handle. ``handle.errors`` has the items that did not become a run, each with its index.

        Raises:
            BatchItemsError: ``atomic``, and items are wrong. Nothing was written.
            TriggerOptionError: An option of the batch is not possible, or there are more than 10,000 items. Nothing
                was written.
            BatchTriggerError: The store stopped answering; the error counts the runs that were made.
            BlockingCallError: An event loop runs in this thread; await ``abatch_trigger``.
        """
        refuse_in_event_loop(f"{self.definition.id}.batch_trigger", f"{self.definition.id}.abatch_trigger")
        on_commit = options.pop("on_commit", None)
        checked = BatchOptions.checked(**options)
        return at_commit.trigger_batch(self.definition, items, checked, on_commit)

    async def abatch_trigger(
        self,
        items: Iterable[PayloadT | BatchItem[PayloadT]] | AsyncIterable[PayloadT | BatchItem[PayloadT]],
        **options: Unpack[BatchKeywords],
    ) -> BatchHandle[ResultT]:
        """Make a run of each item, many in one write. See ``batch_trigger``."""
        checked = BatchOptions.checked(**options)
        return BatchHandle(await engine().batches.atrigger(self.definition, items, checked))


class FunctionTask(Task[PayloadT, ResultT], Generic[PayloadT, ResultT, Rest, ReturnT]):
    """A task made of a function. A call of the task calls the function, without a run, retries or the store."""

    def __init__(self, definition: TaskDefinition) -> None:
        """Wrap a definition. Users write ``@task()`` instead."""
        super().__init__(definition)
        functools.update_wrapper(self, definition.function)

    def __call__(self, *args: Rest.args, **kwargs: Rest.kwargs) -> ReturnT:
        """Call the function."""
        return cast("ReturnT", self.definition.function(*args, **kwargs))
