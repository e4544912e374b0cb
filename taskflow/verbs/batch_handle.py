"""The handle of one batch, typed by the results of its tasks."""

from collections.abc import Sequence
from typing import Generic, Never, TypeVar, cast

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.task_result import TaskResult
from taskflow.definition.documents.payload import OutputType
from taskflow.definition.documents.readable import read_json
from taskflow.durations import Duration, parse_timeout
from taskflow.models import Batch, BatchError, BatchProgress, RunError, RunStatus
from taskflow.seams.batches import BatchRuns, RunEnd
from taskflow.verbs.current import engine
from taskflow.verbs.run_handle import RunHandle

ResultT = TypeVar("ResultT")


class BatchHandle(Generic[ResultT]):
    """One triggered batch.

    Attributes:
        id: The batch's id.
        run_ids: The runs in the order of their items. Items with one idempotency key name the same run.
        errors: The items that did not become a run, each with its index.
    """

    __slots__ = ("_runs", "errors", "id", "run_ids")

    def __init__(self, runs: BatchRuns) -> None:
        """Refer to a batch. Verbs make handles."""
        self.take(runs)

    def take(self, runs: BatchRuns) -> None:
        """Refer to the runs that were made, when a transaction has been committed."""
        self.id: str = runs.batch_id
        self.run_ids: tuple[str, ...] = tuple(run_id for run_id in runs.run_ids if run_id is not None)
        self.errors: tuple[BatchError, ...] = tuple(runs.errors)
        self._runs = runs

    def __repr__(self) -> str:
        return f"BatchHandle({self.id!r}, runs={len(self.run_ids)}, errors={len(self.errors)})"

    def __len__(self) -> int:
        return len(self._runs.run_ids)

    def runs(self) -> Sequence[RunHandle[ResultT]]:
        """Return the handles of its runs, in the order of their items."""
        ids = self._runs.run_ids
        return [RunHandle(run_id, self._output(index)) for index, run_id in enumerate(ids) if run_id is not None]

    def retrieve(self) -> Batch:
        """Return the batch's record.

        Raises:
            BatchNotFoundError: The batch's record has expired.
            StoreUnavailableError: The store did not answer.
            BlockingCallError: An event loop runs in this thread; await ``aretrieve``.
        """
        refuse_in_event_loop("batch.retrieve", "batch.aretrieve")
        return engine().batches.retrieve(self.id)

    async def aretrieve(self) -> Batch:
        """Return the batch's record. See ``retrieve``."""
        return await engine().batches.aretrieve(self.id)

    def progress(self) -> BatchProgress:
        """Count its runs: all, finished, completed, failed, canceled. Raises as ``retrieve`` does."""
        refuse_in_event_loop("batch.progress", "batch.aprogress")
        return engine().batches.retrieve(self.id).progress

    async def aprogress(self) -> BatchProgress:
        """Count its runs. See ``progress``."""
        return (await engine().batches.aretrieve(self.id)).progress

    def results(self, timeout: Duration | None = None) -> Sequence[TaskResult[ResultT]]:
        """Wait until every run has ended, and return one result for each item, in the order of the items.

        An item that did not become a run has a FAILED result without run id. Results raise only on ``unwrap``.

        Args:
            timeout: How long to wait for all of them. None waits for ever.

        Raises:
            ResultTimeoutError: Not all have ended in time; the error names the first that has not.
            RunNotFoundError: The record of a run has expired.
            OutputError: An output does not fit its task's return annotation (any more).
            StoreUnavailableError: The store did not answer.
            BlockingCallError: An event loop runs in this thread; await ``aresults``.
        """
        refuse_in_event_loop("batch.results", "batch.aresults")
        return self._results(engine().batches.wait(self._distinct(), parse_timeout(timeout)))

    async def aresults(self, timeout: Duration | None = None) -> Sequence[TaskResult[ResultT]]:
        """Wait until every run has ended, and return the results. See ``results``."""
        return self._results(await engine().batches.await_(self._distinct(), parse_timeout(timeout)))

    def _distinct(self) -> list[str]:
        return list(dict.fromkeys(self.run_ids))

    def _results(self, ends: Sequence[RunEnd]) -> list[TaskResult[ResultT]]:
        end_of = dict(zip(self._distinct(), ends, strict=True))
        wrong = {error.index: error for error in self.errors}
        return [
            self._result(index, run_id, end_of[run_id]) if run_id is not None else _not_triggered(wrong.get(index))
            for index, run_id in enumerate(self._runs.run_ids)
        ]

    def _result(self, index: int, run_id: str, end: RunEnd) -> TaskResult[ResultT]:
        status, document, error = end
        if status is not RunStatus.COMPLETED:
            return TaskResult(run_id, status, error=error or RunError(status.value, ""))
        output, document = self._output(index), document or b"null"
        # ResultT is the task's return annotation, against which the loader checks the stored JSON.
        value = cast("ResultT", output.load(document) if output else read_json(document))
        return TaskResult(run_id, status, value)

    def _output(self, index: int) -> OutputType | None:
        outputs = self._runs.outputs
        return outputs[index if len(outputs) > 1 else 0] if outputs else None


def _not_triggered(error: BatchError | None) -> TaskResult[Never]:
    reason = RunError(error.type, error.message) if error else RunError("", "The item was not triggered.")
    return TaskResult("", RunStatus.FAILED, error=reason)
