"""``Task``, which ``@task`` makes of a function, and its verbs. The engine does the work."""

from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.trigger_options import CommitKeywords, TriggerKeywords, TriggerOptions
from taskflow.seams.transactions import TRANSACTIONS
from taskflow.verbs import at_commit
from taskflow.verbs.current import engine
from taskflow.verbs.kinds.batches import BatchVerbs
from taskflow.verbs.kinds.declared import DeclaredTask, InPlace
from taskflow.verbs.kinds.signatures import PayloadSignatures
from taskflow.verbs.run_handle import RunHandle
from taskflow.verbs.trigger_and_wait import Subtask

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")
OutputT = TypeVar("OutputT")
ReturnT = TypeVar("ReturnT")
Rest = ParamSpec("Rest")


class Task(
    DeclaredTask,
    Subtask[PayloadT, ResultT],
    BatchVerbs[PayloadT, ResultT],
    PayloadSignatures[PayloadT, ResultT],
    Generic[PayloadT, ResultT],
):
    """A task, typed by its payload and its result.

    Attributes:
        definition: The task's declaration.
    """

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


class FunctionTask(InPlace[Rest, ReturnT], Task[PayloadT, ResultT], Generic[PayloadT, ResultT, Rest, ReturnT]):
    """A task made of a function that takes one payload, or nothing."""
