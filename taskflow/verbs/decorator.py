"""``@task``: turn a function into a task. Checks that do not need resolved annotations happen here, at import."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, ParamSpec, cast

from taskflow.definition.calls.trigger_options import check_tags
from taskflow.definition.celery_habits import about_task_option
from taskflow.definition.documents.payload import OutputType
from taskflow.definition.hook_sets import HookOption, HookSet
from taskflow.definition.hooks import HookKind
from taskflow.definition.machine import Machine, declared_machine
from taskflow.definition.queue import Queue, queue_of_task
from taskflow.definition.registry import declared
from taskflow.definition.retry import Retry
from taskflow.definition.signature import read_signature
from taskflow.definition.source_place import declared_task
from taskflow.definition.task_definition import Executor, TaskDefinition, check_task_id
from taskflow.durations import Duration, parse_duration
from taskflow.errors import DefinitionError, TriggerOptionError
from taskflow.verbs.celery_command import offer_app
from taskflow.verbs.kinds.declared import DeclaredTask
from taskflow.verbs.kinds.parameters import ParametersTask
from taskflow.verbs.task import FunctionTask

if TYPE_CHECKING:  # 30 protocols, which only type checkers need
    from taskflow.verbs.declaring.shapes import TaskDecorator

Options = ParamSpec("Options")


def _name_misspelt_options(declare: Callable[Options, "TaskDecorator"]) -> Callable[Options, "TaskDecorator"]:
    """Replace Python's TypeError for an unknown option by an error that suggests the right one."""
    known = inspect.signature(declare).parameters

    @functools.wraps(declare)
    def checked(*args: Options.args, **kwargs: Options.kwargs) -> "TaskDecorator":
        if args:
            remedy = "Write @task() with parentheses, and every option by its name: @task(id=...)."
            raise DefinitionError("task() takes options only", option="function", value=args[0], remedy=remedy)
        for option, value in kwargs.items():
            if option not in known:
                raise _unknown(option, value, kwargs.get("id"), known)
        return declare(*args, **kwargs)

    return checked


def _unknown(option: str, value: object, task_id: object, known: Mapping[str, object]) -> DefinitionError:
    here = inspect.currentframe()
    caller = here and here.f_back and here.f_back.f_back
    named = declared_task(caller.f_code.co_filename, caller.f_lineno) if caller else None
    named = task_id if isinstance(task_id, str) else named
    what = f"Unknown option of @task{f' for task {named!r}' if named else ''}"
    return DefinitionError(what, option=option, value=value, remedy=about_task_option(option, value, known))


@_name_misspelt_options
def task(
    *,
    id: str | None = None,
    description: str | None = None,
    retry: Retry | None = None,
    queue: Queue | str | None = None,
    machine: str | Machine | None = None,
    max_duration: Duration | None = None,
    ttl: Duration | None = None,
    executor: Executor | None = None,
    durable: bool = False,
    suspend_after: Duration | None = None,
    tags: str | Sequence[str] = (),
    init: HookOption | None = None,
    cleanup: HookOption | None = None,
    middleware: HookOption | None = None,
    on_start: HookOption | None = None,
    on_start_attempt: HookOption | None = None,
    on_success: HookOption | None = None,
    on_error: HookOption | None = None,
    on_failure: HookOption | None = None,
    on_complete: HookOption | None = None,
    on_wait: HookOption | None = None,
    on_resume: HookOption | None = None,
    on_cancel: HookOption | None = None,
    catch_error: HookOption | None = None,
) -> "TaskDecorator":
    """Declare a function as a task.

    The function takes ``(payload)``, ``(payload, ctx)``, ``(ctx)`` or nothing. After a payload it may also
    take ``init`` and ``signal``, in any order. Payload and result are of the annotated types, or else plain JSON.

    Or it has several parameters, after ``ctx`` if it takes that: ``(order_id: str, amount: Decimal = Decimal(1))``.
    The verbs take its arguments then, see ``ParametersTask``.

    The options from ``init`` on are lifecycle hooks: one function or several, each with the parameters it needs, by
    name. See the decorators of the same names.

    Args:
        id: 1 to 128 of ``A-Z a-z 0-9 _ . : / -``, unique in the project. Default: the function's name with dashes.
        description: Text for people. Default: the docstring.
        retry: Default: ``Retry()``, 3 attempts.
        queue: Default: the task's own queue without a limit.
        machine: A preset's name, or a ``Machine`` for the smallest that fits. Default: ``small-1x``.
        max_duration: Compute time of an attempt, waits not counted, after which the run is TIMED_OUT. Default: none.
        ttl: How long a run may wait in its queue for its first start; after that it is EXPIRED. Default: for ever.
        executor: ``"process"``, one child process a run, or ``"async"``, many runs in one event loop. Default:
            ``"async"`` for ``async def``, else ``"process"``.
        durable: Keep a journal of steps and waits. After a retry, a crash or a long wait the function starts again,
            without executing the steps and waits that the journal has.
        suspend_after: How long a durable run waits in memory before it waits without a process. Default: the setting
            ``TASKFLOW_SUSPEND_AFTER``.
        tags: Tags of every run, at most 10.

    Raises:
        DefinitionError: An option, the function's parameters or the id is not possible. The message has a remedy.
    """

    hooks: dict[HookKind, HookOption | None] = {
        "init": init,
        "cleanup": cleanup,
        "middleware": middleware,
        "on_start": on_start,
        "on_start_attempt": on_start_attempt,
        "on_success": on_success,
        "on_error": on_error,
        "on_failure": on_failure,
        "on_complete": on_complete,
        "on_wait": on_wait,
        "on_resume": on_resume,
        "on_cancel": on_cancel,
        "catch_error": catch_error,
    }

    def declare(function: Callable[..., object]) -> DeclaredTask:
        task_id = check_task_id(id, function)
        signature = read_signature(function, task_id)
        retries = _checked_retry(task_id, retry)
        definition = TaskDefinition(
            id=task_id,
            function=function,
            description=(inspect.getdoc(function) or "") if description is None else description,
            retry=retries,
            queue=queue_of_task(task_id, queue),
            machine=declared_machine(machine),
            executor=_checked_executor(task_id, executor, signature.is_async),
            payload=signature.payload_type(task_id),
            parameters=signature.parameters,
            output=OutputType(signature.output),
            wants=signature.wants,
            is_async=signature.is_async,
            tags=_checked_tags(task_id, tags),
            ttl=None if ttl is None else parse_duration(ttl, option="ttl"),
            max_duration=None if max_duration is None else parse_duration(max_duration, option="max_duration"),
            module=function.__module__,
            qualname=function.__qualname__,
            source_file=inspect.unwrap(function).__code__.co_filename,
            source_line=inspect.unwrap(function).__code__.co_firstlineno,
            hooks=_hook_set(task_id, hooks, signature.is_async),
            durable=durable,
            suspend_after=_checked_suspension(task_id, durable, suspend_after),
        )
        declared.add(definition)
        offer_app()
        if signature.parameters:
            several: ParametersTask[..., object, ..., object] = ParametersTask(definition)
            return several
        made: FunctionTask[object, object, ..., object] = FunctionTask(definition)
        return made

    return cast("TaskDecorator", declare)


def _hook_set(task_id: str, hooks: Mapping[HookKind, HookOption | None], is_async: bool) -> HookSet:
    made = HookSet(f"task {task_id!r}", task_id if is_async else None)
    for kind, given in hooks.items():
        made.add_option(kind, given)
    return made


def _checked_executor(task_id: str, executor: object, is_async: bool) -> Executor:
    if executor is None:
        return "async" if is_async else "process"
    if executor == "process":
        return "process"
    if executor == "async" and is_async:
        return "async"
    if executor == "async":
        what, remedy = "cannot run in an event loop: it is a plain def", "Write async def, or leave executor out."
    else:
        what, remedy = "has no such executor", 'Use "process" or "async".'
    raise DefinitionError(f"Task {task_id!r} {what}", option="executor", value=executor, remedy=remedy)


def _checked_suspension(task_id: str, durable: bool, given: Duration | None) -> timedelta | None:
    if given is None:
        return None
    if not durable:
        remedy = "Write @task(durable=True), or leave suspend_after out."
        what = f"Task {task_id!r} is not durable"
        raise DefinitionError(what, option="suspend_after", value=given, remedy=remedy)
    return parse_duration(given, option="suspend_after")


def _checked_retry(task_id: str, retry: object) -> Retry:
    if retry is None:
        return Retry()
    if not isinstance(retry, Retry):
        remedy = "Use Retry(max_attempts=5); Retry(max_attempts=1) means no retry."
        raise DefinitionError(f"Task {task_id!r} has no such retry policy", option="retry", value=retry, remedy=remedy)
    if retry.out_of_memory is not None:
        declared_machine(retry.out_of_memory)
    return retry


def _checked_tags(task_id: str, tags: str | Sequence[str]) -> tuple[str, ...]:
    try:
        return check_tags(tags)
    except TriggerOptionError as error:
        what = f"Task {task_id!r} cannot have those tags"
        raise DefinitionError(what, option="tags", value=tags, remedy=error.remedy) from None
