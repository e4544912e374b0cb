"""Tasks with several parameters: their verbs take a call's arguments, ``with_options`` the options of its run."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.task_result import TaskResult
from taskflow.definition.calls.trigger_options import CommitKeywords, TriggerOptions
from taskflow.definition.documents.arguments import Arguments
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import PayloadError
from taskflow.seams.waits import require_waits
from taskflow.verbs import at_commit
from taskflow.verbs.current import engine
from taskflow.verbs.kinds.batches import BatchVerbs
from taskflow.verbs.kinds.declared import InPlace
from taskflow.verbs.kinds.signatures import CallSignatures
from taskflow.verbs.run_handle import RunHandle
from taskflow.verbs.trigger_and_wait import aresult_of, result_of, wait_request

Params = ParamSpec("Params")
Own = ParamSpec("Own")
ResultT = TypeVar("ResultT")
ReturnT = TypeVar("ReturnT")


class ParametersVerbs(Generic[Params, ResultT]):
    """The verbs that make one run of a call. Arguments are those of the function, without ``ctx``.

    All names are the function's own, also one like ``queue``: options of the run are given to ``with_options``.
    """

    definition: TaskDefinition
    _options: CommitKeywords

    def trigger(self, *args: Params.args, **kwargs: Params.kwargs) -> RunHandle[ResultT]:
        """Make a run and return its handle. The arguments are validated before anything is written.

        Raises:
            PayloadError: An argument is missing, is unknown or does not fit; PayloadTooLargeError for too many bytes.
            DefinitionError: An annotation of the task cannot be used.
            StoreUnavailableError: The store did not answer. The error's ``may_exist`` is True if the run may exist.
            BlockingCallError: An event loop runs in this thread; await ``atrigger``.
        """
        task = self.definition
        refuse_in_event_loop(f"{task.id}.trigger", f"{task.id}.atrigger")
        payload = _bound(task, args, kwargs)
        options, on_commit = _checked(self._options)
        return at_commit.trigger(task, payload, options, on_commit, task.output)

    async def atrigger(self, *args: Params.args, **kwargs: Params.kwargs) -> RunHandle[ResultT]:
        """Make a run and return its handle, without blocking the event loop. See ``trigger``."""
        task = self.definition
        payload = _bound(task, args, kwargs)
        run_id, is_cached = await engine().runs.atrigger(task, payload, TriggerOptions.checked(**self._options))
        return RunHandle(run_id, task.output, is_cached=is_cached)

    def trigger_and_wait(self, *args: Params.args, **kwargs: Params.kwargs) -> TaskResult[ResultT]:
        """Make a run and wait until it has ended, without holding a slot. Within a run only.

        Returns:
            The result. A run that failed raises only on ``TaskResult.unwrap``.

        Raises:
            OutsideRunError: No run executes here.
            PayloadError: As for ``trigger``. Nothing was written.
            BlockingCallError: An event loop runs in this thread; await ``atrigger_and_wait``.
        """
        task, verb = self.definition, f"{self.definition.id}.trigger_and_wait"
        refuse_in_event_loop(verb, f"{task.id}.atrigger_and_wait")
        payload = _bound(task, args, kwargs)
        request = wait_request(task, payload, TriggerOptions.checked(**self._options))
        result = result_of(require_waits(verb).wait(request)[0], task.output)
        return cast("TaskResult[ResultT]", result)

    async def atrigger_and_wait(self, *args: Params.args, **kwargs: Params.kwargs) -> TaskResult[ResultT]:
        """Make a run and wait until it has ended. See ``trigger_and_wait``."""
        task = self.definition
        payload = _bound(task, args, kwargs)
        request = wait_request(task, payload, TriggerOptions.checked(**self._options))
        values = await require_waits(f"{task.id}.atrigger_and_wait").await_(request)
        return cast("TaskResult[ResultT]", await aresult_of(values[0], task.output))


class TaskWithOptions(ParametersVerbs[Params, ResultT]):
    """A task and the options of the runs to make: ``charge.with_options(delay="1h").trigger("o1")``."""

    def __init__(self, definition: TaskDefinition, options: CommitKeywords) -> None:
        """Hold both. Users call ``task.with_options(...)`` instead."""
        self.definition = definition
        self._options = options


class ParametersTask(
    InPlace[Own, ReturnT],
    ParametersVerbs[Params, ResultT],
    BatchVerbs[Arguments[Params], ResultT],
    CallSignatures[Params, ResultT],
    Generic[Params, ResultT, Own, ReturnT],
):
    """A task made of a function with several parameters.

    Its payload is a JSON object of the arguments that were given; the function's defaults fill the others when the run
    executes. Hooks get an object with all of them as attributes.
    """

    def __init__(self, definition: TaskDefinition) -> None:
        """Wrap a definition. Users write ``@task()`` instead."""
        super().__init__(definition)
        self._options: CommitKeywords = {}

    def with_options(self, **options: Unpack[CommitKeywords]) -> TaskWithOptions[Params, ResultT]:
        """Return the task's verbs with options for the runs that they make: those of ``Task.trigger``.

        ``on_commit`` is for ``trigger`` only, as there.

        Raises:
            TriggerOptionError: An option is not possible, or does not exist.
        """
        _checked(options)
        return TaskWithOptions(self.definition, options)

    def arguments(self, *args: Params.args, **kwargs: Params.kwargs) -> Arguments[Params]:
        """Return the arguments of one call as a value, for a batch: ``batch_trigger([charge.arguments("o1")])``.

        Raises:
            PayloadError: An argument is missing or unknown. Types are checked when the batch is triggered.
        """
        return Arguments(_bound(self.definition, args, kwargs))


def _checked(options: CommitKeywords) -> tuple[TriggerOptions, bool | str | None]:
    others: Any = {name: value for name, value in options.items() if name != "on_commit"}
    return TriggerOptions.checked(**others), options.get("on_commit")


def _bound(task: TaskDefinition, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
    """Return the arguments of a call by parameter. An option of a run among them is told where it belongs."""
    if task.parameters is None:
        raise TypeError(f"Task {task.id!r} takes one payload")  # only this package makes such a task
    try:
        return task.parameters.bind(args, kwargs)
    except PayloadError as error:
        strangers = kwargs.keys() - task.parameters.signature.parameters.keys()
        options = [f"{name}=..." for name in kwargs if name in strangers and name in CommitKeywords.__annotations__]
        if not options:
            raise
        remedy = f"Write options as {task.function.__name__}.with_options({', '.join(options)}).trigger(...)."
        raise PayloadError(task.id, f"{error.reason} {remedy}") from None
