"""Verbs on batches without a task object: ``batch.trigger([(task, payload), ...])`` and ``batch.retrieve(id)``."""

from collections.abc import AsyncIterable, Iterable, Sequence
from typing import Final, Unpack

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.batch_item import BatchCommitKeywords, BatchKeywords, BatchOptions, MixedItem
from taskflow.definition.calls.task_result import TaskResult
from taskflow.models import Batch
from taskflow.verbs import at_commit
from taskflow.verbs.batch_handle import BatchHandle
from taskflow.verbs.current import engine
from taskflow.verbs.trigger_and_wait import await_for_batch, wait_for_batch


class Batches:
    """Batches of different tasks, and batches by id."""

    def trigger(
        self,
        items: Iterable[MixedItem],
        **options: Unpack[BatchCommitKeywords],
    ) -> BatchHandle[object]:
        """Make a run of each item, many in one write. The options are those of ``Task.batch_trigger``.

        Args:
            items: Up to 10,000 of (task or its id, payload); with options: (task, ``BatchItem(payload, ...)``).

        Raises:
            BatchItemsError: ``atomic``, and items are wrong.
            TriggerOptionError: An option of the batch is not possible, or there are more than 10,000 items.
            BatchTriggerError: The store stopped answering; the error counts the runs that were made.
            BlockingCallError: An event loop runs in this thread; await ``batch.atrigger``.
        """
        refuse_in_event_loop("batch.trigger", "batch.atrigger")
        on_commit = options.pop("on_commit", None)
        return at_commit.trigger_batch(None, items, BatchOptions.checked(**options), on_commit)

    async def atrigger(
        self,
        items: Iterable[MixedItem] | AsyncIterable[MixedItem],
        **options: Unpack[BatchKeywords],
    ) -> BatchHandle[object]:
        """Make a run of each item, many in one write. See ``trigger``."""
        checked = BatchOptions.checked(**options)
        return BatchHandle(await engine().batches.atrigger(None, items, checked))

    def trigger_and_wait(
        self, items: Iterable[MixedItem], **options: Unpack[BatchKeywords]
    ) -> Sequence[TaskResult[object]]:
        """Make a run of each item and wait until all have ended. See ``Task.batch_trigger_and_wait``.

        Args:
            items: As for ``trigger``.
            options: Those of ``trigger``.
        """
        refuse_in_event_loop("batch.trigger_and_wait", "batch.atrigger_and_wait")
        return wait_for_batch("batch.trigger_and_wait", None, items, BatchOptions.checked(**options))

    async def atrigger_and_wait(
        self, items: Iterable[MixedItem] | AsyncIterable[MixedItem], **options: Unpack[BatchKeywords]
    ) -> Sequence[TaskResult[object]]:
        """Make a run of each item and wait until all have ended. See ``trigger_and_wait``."""
        return await await_for_batch("batch.atrigger_and_wait", None, items, BatchOptions.checked(**options))

    def retrieve(self, batch_id: str) -> Batch:
        """Return a batch's record.

        Raises:
            BatchNotFoundError: No such batch.
        """
        refuse_in_event_loop("batch.retrieve", "batch.aretrieve")
        return engine().batches.retrieve(batch_id)

    async def aretrieve(self, batch_id: str) -> Batch:
        """Return a batch's record. See ``retrieve``."""
        return await engine().batches.aretrieve(batch_id)


batch: Final = Batches()
