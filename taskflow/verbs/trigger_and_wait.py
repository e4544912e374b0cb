"""``trigger_and_wait`` and similar verbs: a run triggers others and waits for their ends without holding a slot."""

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, Unpack, cast, overload

from pydantic_core import to_json

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.batch_item import BatchOptions, MixedItem, check_items
from taskflow.definition.calls.task_result import TaskResult
from taskflow.definition.calls.trigger_options import TriggerKeywords, TriggerOptions
from taskflow.definition.documents.payload import OutputType
from taskflow.definition.documents.readable import read_json, read_object
from taskflow.definition.task_definition import TaskDefinition
from taskflow.models import RunError, RunStatus
from taskflow.seams.batches import BatchRuns
from taskflow.seams.waits import Wait, Waiter, WaitRequest, require_waits
from taskflow.verbs.current import engine

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")
OutputT = TypeVar("OutputT")
UNKNOWN: Final = "MISSING"
"""Stands for the status of a run whose record has left the store. The history has its end."""


class Subtask(Generic[PayloadT, ResultT]):
    """Verbs of a task that work only within a run."""

    definition: TaskDefinition

    @overload
    def trigger_and_wait(
        self: "Subtask[None, OutputT]", payload: None = None, **options: Unpack[TriggerKeywords]
    ) -> TaskResult[OutputT]: ...

    @overload
    def trigger_and_wait(self, payload: PayloadT, **options: Unpack[TriggerKeywords]) -> TaskResult[ResultT]: ...

    def trigger_and_wait(self, payload: object = None, **options: Unpack[TriggerKeywords]) -> TaskResult[Any]:
        """Make a run and wait until it has ended, without holding a slot. Within a run only.

        The child has this run's place in the order of its own queue. Canceling this run cancels the child.

        Args:
            payload: As for ``trigger``.
            options: Those of ``trigger``.

        Returns:
            The result. A run that failed raises only on ``TaskResult.unwrap``.

        Raises:
            OutsideRunError: No run executes here.
            PayloadError, TriggerOptionError: As for ``trigger``. Nothing was written.
            BlockingCallError: An event loop runs in this thread; await ``atrigger_and_wait``.
        """
        task, verb = self.definition, f"{self.definition.id}.trigger_and_wait"
        refuse_in_event_loop(verb, f"{task.id}.atrigger_and_wait")
        request = wait_request(task, payload, TriggerOptions.checked(**options))
        values = require_waits(verb).wait(request)
        return result_of(values[0], task.output)

    @overload
    async def atrigger_and_wait(
        self: "Subtask[None, OutputT]", payload: None = None, **options: Unpack[TriggerKeywords]
    ) -> TaskResult[OutputT]: ...

    @overload
    async def atrigger_and_wait(self, payload: PayloadT, **options: Unpack[TriggerKeywords]) -> TaskResult[ResultT]: ...

    async def atrigger_and_wait(self, payload: object = None, **options: Unpack[TriggerKeywords]) -> TaskResult[Any]:
        """Make a run and wait until it has ended. See ``trigger_and_wait``."""
        task = self.definition
        request = wait_request(task, payload, TriggerOptions.checked(**options))
        values = await require_waits(f"{task.id}.atrigger_and_wait").await_(request)
        return await aresult_of(values[0], task.output)


def wait_for_run(verb: str, task_id: str, payload: object, options: TriggerOptions) -> TaskResult[object]:
    """Make a run of the task with an id and wait until it has ended."""
    waits = require_waits(verb)
    task = engine().find_task(task_id)
    return result_of(waits.wait(wait_request(task, payload, options))[0], task.output)


async def await_for_run(verb: str, task_id: str, payload: object, options: TriggerOptions) -> TaskResult[object]:
    """Make a run of the task with an id and wait until it has ended."""
    waits = require_waits(verb)
    task = engine().find_task(task_id)
    values = await waits.await_(wait_request(task, payload, options))
    return await aresult_of(values[0], task.output)


def wait_for_batch(
    verb: str, task: TaskDefinition | str | None, items: Iterable[object], options: BatchOptions
) -> list[TaskResult[object]]:
    """Make a run of each item and wait until all have ended."""
    check_items(items, is_async=False)
    waits, batch = require_waits(verb), _Batch(task, list(items), options)
    if not batch.items:
        return []
    return [result_of(value, batch.output(index)) for index, value in enumerate(waits.wait(batch.request()))]


async def await_for_batch(
    verb: str, task: TaskDefinition | str | None, items: Iterable[object] | AsyncIterable[object], options: BatchOptions
) -> list[TaskResult[object]]:
    """Make a run of each item and wait until all have ended."""
    check_items(items, is_async=True)
    waits = require_waits(verb)
    items = [item async for item in items] if isinstance(items, AsyncIterable) else list(items)
    batch = _Batch(task, items, options)
    if not items:
        return []
    values = await waits.await_(batch.request())
    return [await aresult_of(value, batch.output(index)) for index, value in enumerate(values)]


class _Batch:
    """A batch that a run waits for."""

    def __init__(self, task: TaskDefinition | str | None, items: Sequence[object], options: BatchOptions) -> None:
        self.items = items
        self._task, self._options = task, options
        self._outputs: Sequence[OutputType | None] = ()

    def request(self) -> WaitRequest:
        """Return the wait for all of its runs."""
        return WaitRequest(
            items=len(self.items), begin=self._begin, abegin=self._abegin, label=self._label(), kind="batch"
        )

    def output(self, index: int) -> OutputType | None:
        """Return the output type of an item's task."""
        if not self._outputs:  # an earlier attempt of a durable run made the batch
            self._outputs = [self._output(item) for item in self.items] if self._task is None else [_output(self._task)]
        return self._outputs[index if len(self._outputs) > 1 else 0] if self._outputs else None

    def _label(self) -> str:
        return "" if self._task is None else self._task if isinstance(self._task, str) else self._task.id

    def _output(self, item: object) -> OutputType | None:
        """Return the output type of an item's task, None for a wrong item."""
        try:
            task, _ = cast("MixedItem", item)
            return _output(task if isinstance(task, str) else task.definition)
        except Exception:  # noqa: BLE001 - it did not become a run, see ``BatchPlan``
            return None

    def _begin(self, waiter: Waiter) -> Wait:
        return self._what(engine().batches.trigger(self._task, self.items, self._options, waiter))

    async def _abegin(self, waiter: Waiter) -> Wait:
        return self._what(await engine().batches.atrigger(self._task, self.items, self._options, waiter))

    def _what(self, runs: BatchRuns) -> Wait:
        self._outputs = runs.outputs
        ids = tuple(run_id for run_id in runs.run_ids if run_id is not None)
        return Wait("batch", run_ids=ids, batch_id=runs.batch_id)


def _output(task: TaskDefinition | str) -> OutputType:
    return (engine().find_task(task) if isinstance(task, str) else task).output


def wait_request(task: TaskDefinition, payload: object, options: TriggerOptions) -> WaitRequest:
    def begin(waiter: Waiter) -> Wait:
        return Wait("task", run_ids=(engine().runs.trigger(task, payload, options, waiter).run_id,))

    async def abegin(waiter: Waiter) -> Wait:
        return Wait("task", run_ids=((await engine().runs.atrigger(task, payload, options, waiter)).run_id,))

    return WaitRequest(begin=begin, abegin=abegin, label=task.id, kind="task")


def result_of(value: bytes, output: OutputType | None) -> TaskResult[object]:
    """Decode the message that completes a wait for a run."""
    end = cast("dict[str, Any]", read_object(value))
    if end["status"] == UNKNOWN:
        return _remembered(end["run"], lambda: engine().runs.retrieve(end["run"]), output)
    if "at" in end:
        end["output"] = read_json(engine().load_value(end["at"].encode()))
    return _result(end, output)


async def aresult_of(value: bytes, output: OutputType | None) -> TaskResult[object]:
    """Decode the message that completes a wait for a run."""
    end = cast("dict[str, Any]", read_object(value))
    if end["status"] == UNKNOWN:
        run = await engine().runs.aretrieve(end["run"])
        return _remembered(end["run"], lambda: run, output)
    if "at" in end:
        end["output"] = read_json(await engine().aload_value(end["at"].encode()))
    return _result(end, output)


def _remembered(run_id: str, retrieve: Callable[[], Any], output: OutputType | None) -> TaskResult[object]:
    run = retrieve()
    if run.status is RunStatus.COMPLETED:
        return TaskResult(run_id, run.status, _load(run.output, output))
    return TaskResult(run_id, run.status, error=run.error or RunError(run.status.value, ""))


def _result(end: Mapping[str, Any], output: OutputType | None) -> TaskResult[object]:
    status = RunStatus(end["status"])
    if status is RunStatus.COMPLETED:
        return TaskResult(end["run"], status, _load(end["output"], output))
    error = end["error"] or {"type": status.value, "message": ""}
    return TaskResult(end["run"], status, error=RunError(error["type"], error["message"], error.get("traceback", "")))


def _load(value: object, output: OutputType | None) -> object:
    return value if output is None else output.load(to_json(value))
