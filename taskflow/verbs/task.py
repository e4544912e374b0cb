"""Tasks: what ``@task`` makes of a function, and the verbs on it. The engine does the work."""

import functools
from collections.abc import AsyncIterable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.batch_item import BatchItem, BatchKeywords, BatchOptions
from taskflow.definition.calls.trigger_options import TriggerKeywords, TriggerOptions
from taskflow.definition.hook_decorators import Hooked
from taskflow.definition.hook_sets import HookSet
from taskflow.definition.task_definition import TaskDefinition
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
    """A task: takes a payload of one type, gives results of another.

    Attributes:
        definition: What was declared.
    """

    def __init__(self, definition: TaskDefinition) -> None:
        """Wrap a definition. Users write ``@task()`` instead."""
        self.definition = definition

    def __repr__(self) -> str:
        return f"<Task {self.definition.id!r}>"

    def hook_set(self) -> HookSet:
        """Return where its hooks are kept."""
        return self.definition.hooks

    @overload
    def trigger(
        self: "Task[None, OutputT]",
        payload: None = None,
        **options: Unpack[TriggerKeywords],
    ) -> RunHandle[OutputT]: ...

    @overload
    def trigger(
        self,
        payload: PayloadT,
        **options: Unpack[TriggerKeywords],
    ) -> RunHandle[ResultT]: ...

    def trigger(
        self,
        payload: object = None,
        **options: Unpack[TriggerKeywords],
    ) -> RunHandle[Any]:  # nobody sees this signature: the overloads are it
        """Make a run and return its handle. The payload is validated before anything is written.

        Args:
            payload: An instance of the annotated type, or data that validates as one.
            queue: Another queue than the task's.
            concurrency_key: Runs of one key share a limit of their own within the queue, e.g. a customer's id.
            machine: Another machine than the task's.
            delay: How long to wait before the run may start, or the aware instant from which it may.
            ttl: How long the run may wait in its queue for its first start; after that it is EXPIRED. 0: for ever.
            priority: By how many seconds the run counts as older in its queue's order; a negative one as younger.
            tags: Up to 10 of 1 to 128 characters, besides the task's own.
            metadata: A JSON object of up to 256 KB that the run carries and may change.
            idempotency_key: Triggers of this task with the same key are one run. Within a run, text means a key of
                that run; see ``idempotency_keys.create``.
            idempotency_key_ttl: After which the key is free once its run has ended. Default, and at most: 30
                days, or the retention where there is no history.
            max_attempts: Instead of the task's ``Retry.max_attempts``.
            max_duration: Compute time of an attempt, waits not counted, after which the run is TIMED_OUT. 0: no bound.
            debounce: Put off a delayed run of the same key instead of making another.
            test: Marks the run as a test.

        Raises:
            PayloadError: The payload does not fit; PayloadTooLargeError when it is too large.
            TriggerOptionError: An option is not possible.
            DefinitionError: An annotation of the task cannot be used, or there is no such machine.
            StoreUnavailableError: The store did not answer; the error says whether the run may exist.
            BlockingCallError: An event loop runs in this thread; await ``atrigger``.
        """
        refuse_in_event_loop(f"{self.definition.id}.trigger", f"{self.definition.id}.atrigger")
        checked = TriggerOptions.checked(**options)
        return RunHandle(engine().runs.trigger(self.definition, payload, checked), self.definition.output)

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
    ) -> RunHandle[Any]:  # nobody sees this signature: the overloads are it
        """Make a run and return its handle, without blocking the event loop. See ``trigger``."""
        checked = TriggerOptions.checked(**options)
        return RunHandle(await engine().runs.atrigger(self.definition, payload, checked), self.definition.output)

    def batch_trigger(
        self,
        items: Iterable[PayloadT | BatchItem[PayloadT]],
        **options: Unpack[BatchKeywords],
    ) -> BatchHandle[ResultT]:
        """Make a run of each item, many in one write. An item that is wrong does not stop the others.

        Args:
            items: Up to 10,000 payloads, or ``BatchItem(payload, ...)`` with options of its own. An iterator is read
                to its end first.
            atomic: Check all items before the first write, and make no run when one of them is wrong.
            idempotency_key: Batches of this task with the same key are one: an item without a key of its own gets
                this one with its index.
            idempotency_key_ttl: That of the items without one of their own. Default: the retention.

        Returns:
            The batch's handle. ``handle.errors`` names the items that became no run, by index.

        Raises:
            BatchItemsError: ``atomic``, and items are wrong. Nothing was written.
            TriggerOptionError: An option of the batch is not possible, or there are more than 10,000 items. Nothing
                was written.
            BatchTriggerError: The store did not answer in the middle; says how many runs were made.
            BlockingCallError: An event loop runs in this thread; await ``abatch_trigger``.
        """
        refuse_in_event_loop(f"{self.definition.id}.batch_trigger", f"{self.definition.id}.abatch_trigger")
        checked = BatchOptions.checked(**options)
        return BatchHandle(engine().batches.trigger(self.definition, items, checked))

    async def abatch_trigger(
        self,
        items: Iterable[PayloadT | BatchItem[PayloadT]] | AsyncIterable[PayloadT | BatchItem[PayloadT]],
        **options: Unpack[BatchKeywords],
    ) -> BatchHandle[ResultT]:
        """Make a run of each item, many in one write. See ``batch_trigger``."""
        checked = BatchOptions.checked(**options)
        return BatchHandle(await engine().batches.atrigger(self.definition, items, checked))


class FunctionTask(Task[PayloadT, ResultT], Generic[PayloadT, ResultT, Rest, ReturnT]):
    """A task made of a function. Calling it runs the function in place: no run, no retry, no store."""

    def __init__(self, definition: TaskDefinition) -> None:
        """Wrap a definition. Users write ``@task()`` instead."""
        super().__init__(definition)
        functools.update_wrapper(self, definition.function)

    def __call__(self, *args: Rest.args, **kwargs: Rest.kwargs) -> ReturnT:
        """Run the function here and now."""
        return cast("ReturnT", self.definition.function(*args, **kwargs))
