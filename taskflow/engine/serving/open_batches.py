"""Batches that are announced in one request, and whose items come in others, in parts and maybe again.

A run's id follows from the batch's id and the item's index, so that an item that comes twice is one run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.engine.declarations import Declarations
from taskflow.engine.loops import Loop
from taskflow.engine.many_runs import ManyRuns
from taskflow.engine.new_run import Planner
from taskflow.engine.round_trips import Blocking, Steps, Write, adrive, checked
from taskflow.errors import BatchNotFoundError, RunNotFoundError, TaskflowError
from taskflow.models import BatchError, Run
from taskflow.objects.address import LargeValue
from taskflow.store import operations
from taskflow.store.operations.batches import RUNS_A_SCRIPT, StoredBatch, open_batch, read_batch, write_batch
from taskflow.store.operations.making import NewRun
from taskflow.store.wire import new_batch_id, shard_of_batch
from taskflow.texts import message_of

_MESSAGE_CHARS: Final = 1000
_RESULTS_A_PART: Final = 200
_NO_OPTIONS: Final = TriggerOptions()


@dataclass(frozen=True, slots=True)
class OpenItem:
    """One item. ``error``: why it can't become a run, when that is known already."""

    index: int
    task_id: str
    payload: object = None
    options: TriggerOptions = _NO_OPTIONS
    error: TaskflowError | None = None


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that was announced.

    Attributes:
        expected: How many items it is to have.
        is_sealed: Whether all of them are there.
        known: The indexes of those that are there.
        key_text: The text from which the idempotency keys of its items follow.
    """

    id: str
    expected: int
    is_sealed: bool
    known: frozenset[int] = frozenset()
    key_text: str | None = None


class OpenBatches:
    """Announces batches, writes their items and seals them."""

    def __init__(
        self,
        planner: Planner,
        many: ManyRuns,
        loop: Callable[[], Loop],
        declarations: Declarations,
    ) -> None:
        self._planner, self._many, self._loop, self._declarations = planner, many, loop, declarations

    async def announce(self, seed: str, expected: int, key: str = "", key_text: str = "") -> OpenBatch:
        """Make a batch, or return the one of the same seed.

        Args:
            seed: Text from which its id follows; "" for a new one.
            key, key_text: See ``open_batch``.
        """
        batch_id = new_batch_id(seed, self._planner.shards)
        operation = open_batch(batch_id, expected, key, key_text)
        announced, is_sealed = await self._loop().store.run(operation, shard=self._shard(batch_id))
        return OpenBatch(batch_id, announced, is_sealed)

    async def read(self, batch_id: str) -> OpenBatch:
        """Return a batch that was announced.

        Raises:
            BatchNotFoundError: There is none.
        """
        stored: StoredBatch = await self._loop().store.run(read_batch(batch_id), shard=self._shard(batch_id))
        if stored.expected is None:
            raise BatchNotFoundError(batch_id)
        made = {index for index, run_id in enumerate(stored.run_ids) if run_id is not None}
        known = frozenset({*made, *(error.index for error in stored.errors)})
        return OpenBatch(batch_id, stored.expected, stored.count is not None, known, stored.key_text)

    async def write(self, batch_id: str, items: Sequence[OpenItem]) -> None:
        """Make a run of each item. One that can't become a run is kept as an error of the batch."""
        await adrive(self._loop().store, self._write(batch_id, items, self._loop().store.missing_templates))

    async def seal(self, batch: OpenBatch) -> None:
        """Close a batch whose items are all there."""
        operation = write_batch(batch.id, batch.expected, (), count=batch.expected)
        await self._loop().store.run(operation, shard=self._shard(batch.id))

    async def runs(self, run_ids: Sequence[str]) -> list[Run]:
        """Return the records of runs, without those that nothing has any more."""
        return await adrive(self._loop().store, self._runs(run_ids))

    def _runs(self, run_ids: Sequence[str]) -> Steps[list[Run]]:
        found: list[Run] = []
        for start in range(0, len(run_ids), _RESULTS_A_PART):
            part = run_ids[start : start + _RESULTS_A_PART]
            records = yield from self._many.each(part, operations.runs.read_run)
            found += yield Blocking(partial(self._resolved, part, records))
        return found

    def _resolved(self, run_ids: Sequence[str], records: Sequence[Run | TaskflowError]) -> list[Run]:
        kept = [self._many.kept(*each) for each in zip(run_ids, records, strict=True)]
        for each in kept:
            if isinstance(each, TaskflowError) and not isinstance(each, RunNotFoundError):
                raise each
        return [self._planner.large_values.resolved(run) for run in kept if isinstance(run, Run)]

    def _write(self, batch_id: str, items: Sequence[OpenItem], missing: set[str]) -> Steps[None]:
        plans = [self._planned(batch_id, item) for item in items]
        news = {item.index: new for item, new in zip(items, plans, strict=True) if isinstance(new, NewRun)}
        large = [new.large for new in news.values() if new.large]
        if large:
            yield Blocking(partial(self._write_large, large))
        run_ids = yield from self._make(news, missing)
        errors = {error.index: error for error in plans if isinstance(error, BatchError)}
        for result in (yield self._records(batch_id, [item.index for item in items], run_ids, errors)):
            checked(result)

    def _write_large(self, values: Sequence[LargeValue]) -> None:
        for value in values:
            self._planner.large_values.write(value)

    def _make(self, news: Mapping[int, NewRun], missing: set[str]) -> Steps[dict[int, str]]:
        """Make runs, and return their ids by index: of an idempotency key's older run, that one's."""
        shards = {index: self._planner.shard(new) for index, new in news.items()}
        scripts: list[tuple[Write, Sequence[int]]] = []
        for shard in sorted(set(shards.values())):
            here = [index for index in news if shards[index] == shard]
            for start in range(0, len(here), RUNS_A_SCRIPT):
                indices = here[start : start + RUNS_A_SCRIPT]
                scripts.append(((operations.batches.trigger_runs([news[index] for index in indices]), shard), indices))
        tasks = {(new.task_id, shards[index]) for index, new in news.items()}
        declared = [(self._declarations.needed(*where, missing), where[1]) for where in tasks]
        first: list[Write] = [(operation, shard) for operation, shard in declared if operation]
        results = yield [*first, *(write for write, _ in scripts)]
        made = [checked(result) for result in results][len(first) :]
        for where in tasks:
            self._declarations.made(*where, missing)
        return {
            index: run_id
            for (_, indices), part in zip(scripts, made, strict=True)
            for index, (run_id, _) in zip(indices, part, strict=True)
        }

    def _records(
        self, batch_id: str, indices: Sequence[int], run_ids: dict[int, str], errors: dict[int, BatchError]
    ) -> list[Write]:
        """Return the operations that record the items, one for each series of consecutive indexes."""
        shard, writes = self._shard(batch_id), list[Write]()
        for series in _series(indices):
            ids = [run_ids.get(index) for index in series]
            wrong = [errors[index] for index in series if index in errors]
            writes.append((write_batch(batch_id, series[0], ids, wrong), shard))
        return writes

    def _planned(self, batch_id: str, item: OpenItem) -> NewRun | BatchError:
        try:
            if item.error is not None:
                raise item.error
            task = self._planner.known.task(item.task_id)
            seed = f"{batch_id} {item.index}"
            return self._planner.plan(task, item.payload, item.options, batch_id=batch_id, seed=seed)
        except Exception as error:  # noqa: BLE001 - a payload's validation raises anything; the other items go on
            message = message_of(error, _MESSAGE_CHARS)
            return BatchError(item.index, item.task_id, type(error).__name__, message)

    def _shard(self, batch_id: str) -> int:
        shard = shard_of_batch(batch_id)
        if shard is None or shard >= self._planner.shards:
            raise BatchNotFoundError(batch_id)
        return shard


def _series(indices: Sequence[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for index in sorted(set(indices)):
        if found and found[-1][-1] == index - 1:
            found[-1].append(index)
        else:
            found.append([index])
    return found
