"""The items of a batch as lines to send. A wrong one is a line too, so that the batch's record has it. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from pydantic_core import to_json

from taskflow.definition.calls.batch_item import MOST_ITEMS, AnyTask, BatchItem, BatchOptions
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.documents.payload import OutputType
from taskflow.definition.foreign_task import NamedTasks
from taskflow.definition.machine import MachineSpec
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import BatchItemsError, TriggerOptionError
from taskflow.http_client.payloads import payload_document
from taskflow.http_client.run_options import key_fields, run_options
from taskflow.models import BatchError
from taskflow.seams.batches import BatchRuns
from taskflow.seams.record_documents import record_of
from taskflow.texts import message_of

_NO_OPTIONS: Final = TriggerOptions()
_ITEMS_A_TURN: Final = 200
_MESSAGE_CHARS: Final = 1000


class BatchLines:
    """One batch as lines of JSON: its own options, then an item a line."""

    def __init__(
        self,
        tasks: NamedTasks,
        presets: Mapping[str, MachineSpec],
        payload_limit: int,
        task: TaskDefinition | str | None,
        items: Sequence[object],
        options: BatchOptions,
    ) -> None:
        """Take the items, and check none of them yet.

        Raises:
            TriggerOptionError: There are too many.
        """
        if len(items) > MOST_ITEMS:
            raise TriggerOptionError("items", "...", f"A batch has at most {MOST_ITEMS:,} items: trigger several.")
        self._tasks, self._presets, self._payload_limit = tasks, presets, payload_limit
        self._task = tasks.task(task) if isinstance(task, str) else task
        self._items, self._options = items, options
        self._outputs: list[OutputType | None] = [self._task.output] if self._task else [None] * len(items)
        self._errors: list[BatchError] = []
        self._lines = [self._head()]

    def checks(self) -> Iterator[None]:
        """Check all items, pausing now and then for an event loop.

        Raises:
            BatchItemsError: Items of an atomic batch are wrong.
        """
        for index, item in enumerate(self._items):
            task_id = self._task.id if self._task else ""
            try:
                task, payload = self._read(index, item)
                task_id = task.id
                self._lines.append(self._line(task, payload))
            except Exception as error:  # noqa: BLE001 - a payload's validation raises anything; the other items go on
                wrong = BatchError(index, task_id, type(error).__name__, message_of(error, _MESSAGE_CHARS))
                self._errors.append(wrong)
                self._lines.append(to_json({"task": task_id, "error": {"type": wrong.type, "message": wrong.message}}))
            if index % _ITEMS_A_TURN == 0:
                yield
        if self._errors and self._options.atomic:
            raise BatchItemsError(self._errors, len(self._items))

    def body(self) -> bytes:
        """Return the lines to send."""
        return b"\n".join(self._lines)

    def runs(self, document: Any) -> BatchRuns:
        """Return the runs and errors that the items became, as the server says."""
        errors = tuple(record_of(BatchError, each) for each in document["errors"])
        return BatchRuns(str(document["id"]), tuple(document["run_ids"]), errors, tuple(self._outputs))

    def _head(self) -> bytes:
        options = self._options
        return to_json(
            {
                "task": self._task.id if self._task else None,
                "atomic": options.atomic,
                **key_fields(options.idempotency_key, options.idempotency_key_ttl),
            }
        )

    def _read(self, index: int, item: object) -> tuple[TaskDefinition, object]:
        if self._task is not None:
            return self._task, item
        if not isinstance(item, tuple) or len(pair := cast("tuple[object, ...]", item)) != 2:
            remedy = "Each item is (task or its id, payload) or (task or its id, BatchItem(payload, ...))."
            raise TriggerOptionError("items", "...", remedy)
        named, payload = cast("tuple[AnyTask | str, object]", pair)
        task = self._tasks.task(named) if isinstance(named, str) else named.definition
        self._outputs[index] = task.output
        return task, payload

    def _line(self, task: TaskDefinition, item: object) -> bytes:
        payload, options = item, _NO_OPTIONS
        if isinstance(item, BatchItem):
            own = cast("BatchItem[object]", item)
            payload, options = own.payload, own.options()
        document = payload_document(task, payload, self._payload_limit)
        fields = to_json(run_options(options, self._presets))
        return b'{"task":%b,"payload":%b,"options":%b}' % (to_json(task.id), document, fields)
