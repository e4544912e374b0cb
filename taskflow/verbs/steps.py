"""``step`` and ``astep``: a part of a durable run that is executed once, whatever happens to its workers.

Outside a durable run a step is a call of its function, with its retries, so that tests and other tasks can call a
decorated function as it is.
"""

import asyncio
import functools
import inspect
import itertools
import random
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Final, ParamSpec, Protocol, TypeVar, overload
from weakref import WeakKeyDictionary

from taskflow.definition.documents.annotation import Annotation, namespace_of
from taskflow.definition.documents.payload import OutputType
from taskflow.definition.retry import Retry
from taskflow.errors import DefinitionError
from taskflow.execution.reporting.spans import traced
from taskflow.seams.journal_keys import Scope, StepCall, current_scope

Arguments = ParamSpec("Arguments")
ResultT = TypeVar("ResultT")
_LONGEST_NAME: Final = 256
_STEP: Final = "__taskflow_step__"
_outputs: WeakKeyDictionary[Callable[..., object], OutputType] = WeakKeyDictionary()


class StepDecorator(Protocol):
    """The decorator that ``@step(retry=...)`` makes: it returns a function of the same type."""

    def __call__(self, function: Callable[Arguments, ResultT], /) -> Callable[Arguments, ResultT]: ...


@overload
def step(function: Callable[Arguments, ResultT], /) -> Callable[Arguments, ResultT]: ...
@overload
def step(*, name: str | None = None, retry: Retry | None = None) -> StepDecorator: ...
@overload
def step(name: str, function: Callable[..., ResultT], /, *args: object, retry: Retry, **kwargs: object) -> ResultT: ...
@overload
def step(
    name: str, function: Callable[Arguments, ResultT], /, *args: Arguments.args, **kwargs: Arguments.kwargs
) -> ResultT: ...
def step(first: Any = None, function: Any = None, /, *args: Any, **kwargs: Any) -> Any:
    """Call a function once in a durable run. A replay returns the result that the journal has.

    ``step("charge", charge, order)`` calls; ``@step`` and ``@step(retry=Retry(5))`` decorate ``def`` and ``async def``
    functions: each call is a step with the name of the function. The result is converted to JSON and back by the return
    annotation, also the first time. An error is journaled once the code of the run has gone on after it. A replay
    raises it again, as the same class if that has no ``__init__`` of its own, else as ``StepFailedError``.

    Args:
        name: Its name in the journal, up to 256 characters on one line. Default for decorators: the function's name.
        function: Called as ``function(*args, **kwargs)``.
        retry: Retries within the attempt. Delays of more than 5 s are waits of the run. Default: none.

    Raises:
        Exception: The function's last error.
        JournalError: The journal has another call here, or the result can't be kept. The error ends the run.
        BlockingCallError: An event loop runs in this thread; await ``astep``.
    """
    if isinstance(first, str):
        if function is None:
            what = "A step has no function"
            raise DefinitionError(what, option="name", value=first, remedy="Use step('charge', charge, order).")
        return _step(_call(first, function, args, kwargs))
    if first is not None:
        return _decorated(first)
    return functools.partial(_decorated, **kwargs)


@overload
async def astep(
    name: str,
    function: Callable[..., Coroutine[Any, Any, ResultT]],
    /,
    *args: object,
    retry: Retry,
    **kwargs: object,
) -> ResultT: ...
@overload
async def astep(
    name: str, function: Callable[..., ResultT], /, *args: object, retry: Retry, **kwargs: object
) -> ResultT: ...
@overload
async def astep(
    name: str,
    function: Callable[Arguments, Coroutine[Any, Any, ResultT]],
    /,
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> ResultT: ...
@overload
async def astep(
    name: str, function: Callable[Arguments, ResultT], /, *args: Arguments.args, **kwargs: Arguments.kwargs
) -> ResultT: ...
async def astep(name: str, function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call a function once in a durable run. See ``step``. A ``def`` function is called in a thread."""
    return await _astep(_call(name, function, args, kwargs))


def _step(call: StepCall) -> object:
    scope = current_scope()
    if isinstance(scope, Scope):
        return scope.journaling.step(scope, call)
    with traced("step", call.name):
        for failed in itertools.count(1):
            try:
                return call.call()
            except Exception as error:  # noqa: BLE001 - user code raises anything; the retry decides
                delay = _delay(call, error, failed)
            time.sleep(delay.total_seconds())
    raise AssertionError


async def _astep(call: StepCall) -> object:
    scope = current_scope()
    if isinstance(scope, Scope):
        return await scope.journaling.astep(scope, call)
    with traced("step", call.name):
        for failed in itertools.count(1):
            try:
                value = call.call() if call.is_async else await asyncio.to_thread(call.call)
                return await value if inspect.isawaitable(value) else value
            except Exception as error:  # noqa: BLE001 - user code raises anything; the retry decides
                delay = _delay(call, error, failed)
            await asyncio.sleep(delay.total_seconds())
    raise AssertionError


def _delay(call: StepCall, error: Exception, failed: int) -> timedelta:
    delay = call.delay_after(error, failed, random.random)
    if delay is None:
        raise error
    return delay


def _decorated(function: Callable[..., Any], name: str | None = None, retry: Retry | None = None) -> Callable[..., Any]:
    named = name or str(getattr(function, "__name__", "step"))
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            return await _astep(_made(named, function, args, kwargs, retry))

        wrapper: Callable[..., Any] = acall
    else:

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return _step(_made(named, function, args, kwargs, retry))

        wrapper = call
    setattr(wrapper, _STEP, function)
    return wrapper


def _call(name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> StepCall:
    retry = kwargs.get("retry")
    if isinstance(retry, Retry):
        kwargs = {key: value for key, value in kwargs.items() if key != "retry"}
    undecorated = getattr(function, _STEP, function)  # so that a step does not contain its own step
    return _made(name, undecorated, args, kwargs, retry if isinstance(retry, Retry) else None)


def _made(
    name: object, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], retry: Retry | None
) -> StepCall:
    if not isinstance(name, str) or not name or len(name) > _LONGEST_NAME or not name.isprintable():
        remedy = f"Use 1 to {_LONGEST_NAME} printable characters, e.g. step('charge', charge, order)."
        raise DefinitionError("That is not a step's name", option="name", value=name, remedy=remedy)
    bound = functools.partial(function, *args, **kwargs)
    return StepCall(name, bound, _output_of(name, function), retry, inspect.iscoroutinefunction(function))


def _output_of(name: str, function: Callable[..., object]) -> OutputType:
    """Return the type of a function's result, which is read once per function."""
    try:
        known = _outputs.get(function)
    except TypeError:  # the function can't be hashed or referenced weakly
        return _read_output(name, function)
    if known is None:
        known = _read_output(name, function)
        try:
            _outputs[function] = known
        except TypeError:
            return known
    return known


def _read_output(name: str, function: Callable[..., object]) -> OutputType:
    while isinstance(function, functools.partial):
        function = function.func
    value = getattr(inspect.unwrap(function), "__annotations__", {}).get("return", inspect.Signature.empty)
    if value is inspect.Signature.empty:
        return OutputType(None)
    return OutputType(Annotation(f"The result of step {name!r}", value, namespace_of(function)))
