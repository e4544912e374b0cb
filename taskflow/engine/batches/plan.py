"""Turn the items of a batch into operations, part by part. No I/O: ``BatchEngine`` executes them.

A part's runs and the batch's record of them go out in one write. If a key may name an older run, only the reply has
the ids of the runs, so that the record goes out with the next part.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, cast

from taskflow.definition.calls.batch_item import AnyTask, BatchItem, BatchOptions
from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.documents.payload import OutputType
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.new_run import Planner, caller_of_trigger
from taskflow.engine.round_trips import Write
from taskflow.errors import BatchItemsError, TriggerOptionError
from taskflow.models import BatchError, RunError, RunStatus
from taskflow.objects.address import LargeValue
from taskflow.seams.batches import BatchRuns, RefusedItem
from taskflow.seams.waits import Waiter, end_json
from taskflow.store import operations
from taskflow.store.operations.batches import RUNS_A_SCRIPT
from taskflow.store.operations.making import NewRun
from taskflow.store.operations.waits import complete_item
from taskflow.store.planned_documents import dump_batch
from taskflow.store.wire import new_batch_id, shard_of_batch, shard_of_run
from taskflow.texts import message_of

ITEMS_A_PART: Final = 200
"""Most items of one write. With small payloads they fit the socket's buffer, so that sending does not wait."""
_BYTES_A_PART: Final = 1 << 20
_NO_OPTIONS: Final = TriggerOptions()
_MESSAGE_CHARS: Final = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """The items from ``index`` to before ``end``.

    Attributes:
        scripts: The operations that make the runs, each with the indices of its items.
        task_shards: Pairs of a task and a shard to which runs of it go.
        planned: The ids that the runs get.
        is_certain: Whether no key may name an older run instead of a planned one.
        large: Payloads to write to the object store first.
        runs: The runs that are planned.
    """

    index: int
    end: int
    errors: Sequence[BatchError]
    scripts: Sequence[tuple[Write, Sequence[int]]]
    task_shards: frozenset[tuple[str, int]]
    planned: Sequence[str | None]
    is_certain: bool
    large: Sequence[LargeValue] = ()
    runs: Sequence[NewRun] = ()


class BatchPlan:
    """Plans the writes of one batch.

    Attributes:
        id: Derived from the idempotency key, so that a repeated batch is the same one.
        made: Number of items that are certainly runs.
    """

    def __init__(
        self,
        planner: Planner,
        task: TaskDefinition | None,
        items: Sequence[object],
        options: BatchOptions,
        waiter: Waiter | None = None,
        seed: str | None = None,
        batch_id: str | None = None,
    ) -> None:
        """Plan nothing yet.

        Args:
            items: Payloads, or for an empty ``task`` pairs with a task; a run that is planned, or a refused item.
            seed: Text from which the ids of the batch and its runs follow.
            batch_id: That of a batch that was planned before.
        """
        self._waiter, self._seed, self._caller = waiter, seed, caller_of_trigger()
        self._planner, self._task, self._items, self._options = planner, task, items, options
        key = options.idempotency_key
        named = f"{task.id if task else ''}:{key.digest}" if key else ""
        if waiter is not None and waiter.is_durable and not named:
            named = waiter.seed
        if seed is not None and not named:
            named = seed
        self.id = batch_id or new_batch_id(named, planner.shards)
        self.made = 0
        self._run_ids: list[str | None] = [None] * len(items)
        self._errors: list[BatchError] = []
        self._outputs: list[OutputType | None] = [task.output] if task else [None] * len(items)
        self._unrecorded: list[Part] = []
        self._planned: list[NewRun | None] = []

    @property
    def is_repeatable(self) -> bool:
        """Whether it has an idempotency key."""
        return self._options.idempotency_key is not None

    @property
    def runs(self) -> BatchRuns:
        """The runs and errors that the items became so far."""
        return BatchRuns(self.id, tuple(self._run_ids), tuple(self._errors), tuple(self._outputs))

    def checks(self) -> Iterator[None]:
        """Plan all items of an atomic batch, pausing now and then for an event loop.

        Raises:
            BatchItemsError: Items are wrong.
        """
        if not self._options.atomic:
            return
        for index in range(len(self._items)):
            self._planned.append(self._plan(index))
            if index % ITEMS_A_PART == 0:
                yield
        if self._errors:
            raise BatchItemsError(self._errors, len(self._items))

    def parts(self) -> Iterator[Part]:
        """Plan the items, part by part."""
        part = self._part(0)
        yield part
        while part.end < len(self._items):
            part = self._part(part.end)
            yield part

    def expected(self, parts: Sequence[Part]) -> BatchRuns:
        """Return the runs that the items become, provided that no key names an older one."""
        planned = tuple(run_id for part in parts for run_id in part.planned)
        return BatchRuns(self.id, planned, tuple(self._errors), tuple(self._outputs))

    def document(self, parts: Sequence[Part]) -> bytes:
        """Return the whole batch as JSON. ``parts``: all of them."""
        runs = [new for part in parts for new in part.runs]
        return dump_batch(self.id, runs, self._errors, self._options.idempotency_key)

    def writes(self, part: Part) -> list[Write]:
        """Return the operations that write a part: first those that make runs, then those that record known runs."""
        writes = [write for write, _ in part.scripts]
        if not part.is_certain:
            return [*writes, *self.rest(part)]
        self._run_ids[part.index : part.end] = part.planned
        self._unrecorded.append(part)
        return [*writes, *self.rest()]

    def rest(self, *following: Part) -> list[Write]:
        """Return the operations that record earlier parts, whose runs are known. Those of ``following`` are not yet."""
        known, self._unrecorded = self._unrecorded, [*following]
        return [write for part in known for write in (self._record(part), *self._completions(part))]

    def _completions(self, part: Part) -> list[Write]:
        """Return the operations that complete the wait for items that did not become a run."""
        if self._waiter is None:
            return []
        shard = shard_of_run(self._waiter.run_id) or 0
        return [(complete_item(self._waiter.at(error.index), _wrong(error)), shard) for error in part.errors]

    def took(self, part: Part, results: Sequence[Any]) -> None:
        """Take the results of the operations that made a part's runs."""
        for (_, indices), made in zip(part.scripts, results, strict=True):
            for index, (run_id, _) in zip(indices, made, strict=True):
                self._run_ids[index] = run_id
            self.made += len(indices)

    def _part(self, index: int) -> Part:
        first_error, size, end = len(self._errors), 0, index
        news: dict[int, NewRun] = {}
        is_certain = True
        while end < len(self._items) and end - index < ITEMS_A_PART and size < _BYTES_A_PART:
            new = self._planned[end] if self._options.atomic else self._plan(end)
            if new is not None:
                news[end] = new
                size += len(new.large.document if new.large else new.payload)
                is_certain = is_certain and new.idempotency_key is None and new.debounce is None
            end += 1
        shards = {index: self._planner.shard(new) for index, new in news.items()}
        scripts: list[tuple[Write, Sequence[int]]] = []
        for shard in sorted(set(shards.values())):
            here = [index for index in news if shards[index] == shard]
            for start in range(0, len(here), RUNS_A_SCRIPT):
                indices = here[start : start + RUNS_A_SCRIPT]
                scripts.append(((operations.batches.trigger_runs([news[index] for index in indices]), shard), indices))
        planned = [news[index].id if index in news else None for index in range(index, end)]
        tasks = frozenset((new.task_id, shards[index]) for index, new in news.items())
        large = [new.large for new in news.values() if new.large]
        errors, runs = tuple(self._errors[first_error:]), list(news.values())
        return Part(index, end, errors, scripts, tasks, planned, is_certain, large, runs)

    def _plan(self, index: int) -> NewRun | None:
        task_id = self._task.id if self._task else ""
        try:
            if isinstance(refused := self._items[index], RefusedItem):
                self._errors.append(BatchError(index, refused.task_id, refused.type, refused.message))
                return None
            if isinstance(planned := self._items[index], NewRun):
                return planned
            task, item = self._read(index)
            task_id = task.id
            payload, options = item, _NO_OPTIONS
            if isinstance(item, BatchItem):
                own = cast("BatchItem[object]", item)
                payload, options = own.payload, own.options()
            waiter = self._waiter.at(index) if self._waiter else None
            options, seed = self._keyed(index, options), f"{self.id} {index}" if self._seed else None
            plan = self._planner.plan
            return plan(task, payload, options, batch_id=self.id, waiter=waiter, seed=seed, caller=self._caller)
        except Exception as error:  # noqa: BLE001 - a payload's validation raises anything; the other items go on
            self._errors.append(BatchError(index, task_id, type(error).__name__, message_of(error, _MESSAGE_CHARS)))
            return None

    def _read(self, index: int) -> tuple[TaskDefinition, object]:
        item = self._items[index]
        if self._task is not None:
            return self._task, item
        if not isinstance(item, tuple) or len(pair := cast("tuple[object, ...]", item)) != 2:
            remedy = "Each item is (task or its id, payload) or (task or its id, BatchItem(payload, ...))."
            raise TriggerOptionError("items", "...", remedy)
        named, payload = cast("tuple[AnyTask | str, object]", pair)
        task = self._planner.known.task(named) if isinstance(named, str) else named.definition
        self._outputs[index] = task.output
        return task, payload

    def _keyed(self, index: int, options: TriggerOptions) -> TriggerOptions:
        key, ttl = self._options.idempotency_key, self._options.idempotency_key_ttl
        if key is None or options.idempotency_key is not None:
            return options
        return _with_key(options, key, index, ttl)

    def _record(self, part: Part) -> Write:
        key = self._options.idempotency_key
        is_last = part.end == len(self._items)
        operation = operations.batches.write_batch(
            self.id,
            part.index,
            self._run_ids[part.index : part.end],
            part.errors,
            count=len(self._items) if is_last else None,
            key=key.key if key else "",
        )
        return operation, shard_of_batch(self.id) or 0


def _wrong(error: BatchError) -> bytes:
    return end_json("", RunStatus.FAILED, RunError(error.type, error.message))


def _with_key(options: TriggerOptions, key: IdempotencyKey, index: int, ttl: timedelta | None) -> TriggerOptions:
    digest = hashlib.sha256(f"{key.digest}:{index}".encode()).hexdigest()[:32]
    own = IdempotencyKey(f"{key.key}-{index}", digest, key.scope)
    return replace(options, idempotency_key=own, idempotency_key_ttl=options.idempotency_key_ttl or ttl)
