"""The verbs of a task that make many runs of it."""

from collections.abc import AsyncIterable, Iterable, Sequence
from typing import Generic, TypeVar, Unpack, cast

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.batch_item import BatchCommitKeywords, BatchItem, BatchKeywords, BatchOptions
from taskflow.definition.calls.task_result import TaskResult
from taskflow.definition.task_definition import TaskDefinition
from taskflow.verbs import at_commit
from taskflow.verbs.batch_handle import BatchHandle
from taskflow.verbs.current import engine
from taskflow.verbs.trigger_and_wait import await_for_batch, wait_for_batch

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")


class BatchVerbs(Generic[PayloadT, ResultT]):
    """Batches of one task. ``PayloadT``: its payload, or the arguments of a call."""

    definition: TaskDefinition

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

    def batch_trigger_and_wait(
        self, items: Iterable[PayloadT | BatchItem[PayloadT]], **options: Unpack[BatchKeywords]
    ) -> Sequence[TaskResult[ResultT]]:
        """Make a run of each item and wait until all have ended, without holding a slot. Within a run only.

        Args:
            items: As for ``batch_trigger``.
            options: Those of ``batch_trigger``.

        Returns:
            The results, in the order of the items. An item that did not become a run has a FAILED one without run id.

        Raises:
            OutsideRunError: No run executes here.
            BatchItemsError, TriggerOptionError, BatchTriggerError: As for ``batch_trigger``.
            BlockingCallError: An event loop runs in this thread; await ``abatch_trigger_and_wait``.
        """
        verb = f"{self.definition.id}.batch_trigger_and_wait"
        refuse_in_event_loop(verb, f"{self.definition.id}.abatch_trigger_and_wait")
        results = wait_for_batch(verb, self.definition, items, BatchOptions.checked(**options))
        return cast("Sequence[TaskResult[ResultT]]", results)

    async def abatch_trigger_and_wait(
        self,
        items: Iterable[PayloadT | BatchItem[PayloadT]] | AsyncIterable[PayloadT | BatchItem[PayloadT]],
        **options: Unpack[BatchKeywords],
    ) -> Sequence[TaskResult[ResultT]]:
        """Make a run of each item and wait until all have ended. See ``batch_trigger_and_wait``."""
        verb = f"{self.definition.id}.abatch_trigger_and_wait"
        results = await await_for_batch(verb, self.definition, items, BatchOptions.checked(**options))
        return cast("Sequence[TaskResult[ResultT]]", results)
