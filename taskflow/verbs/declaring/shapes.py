"""The types of ``@task``: which kind of task a function becomes, told from its parameters. Nothing is executed here.

A function type is assignable to one with fewer parameters when the others have defaults. So a shape is a protocol of
several signatures, all of which the function must have: one that tells the shapes apart, and its own, which ``Own``
captures with names and defaults. Checkers find that such protocols overlap, as the first one that matches is meant to
win; ``tests/typecheck`` holds the result for each shape under mypy and pyright.
"""
# pyright: reportOverlappingOverload=false, reportInvalidTypeVarUse=false
# mypy: disable-error-code="overload-overlap, overload-cannot-match"

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Never, ParamSpec, Protocol, TypeVar, overload

from taskflow.definition.context import Context
from taskflow.definition.signal import Signal
from taskflow.verbs.kinds.parameters import ParametersTask
from taskflow.verbs.task import FunctionTask

PayloadT = TypeVar("PayloadT")
PayloadT_contra = TypeVar("PayloadT_contra", contravariant=True)
FirstT = TypeVar("FirstT")
FirstT_contra = TypeVar("FirstT_contra", contravariant=True)
SecondT = TypeVar("SecondT")
SecondT_contra = TypeVar("SecondT_contra", contravariant=True)
ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)
Own = ParamSpec("Own")
Others = ParamSpec("Others")


class _Nothing:
    """A type of which no parameter is, except one that takes anything."""


class OnlyContext(Protocol[ResultT_co]):
    """``(ctx)``."""

    def __call__(self, *, ctx: Context) -> ResultT_co: ...


class OnlyPayload(Protocol[Own, PayloadT_contra, ResultT_co]):
    """``(payload)``."""

    @overload
    def __call__(self, payload: PayloadT_contra, /) -> ResultT_co: ...
    @overload
    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class AnyPayload(Protocol[Own, ResultT_co]):
    """``(payload: Any)`` and ``(payload: object)``."""

    @overload
    def __call__(self, payload: _Nothing, /) -> ResultT_co: ...
    @overload
    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class WithContext(Protocol[Own, PayloadT_contra, ResultT_co]):
    """``(payload, ctx)``, in any order after the payload."""

    @overload
    def __call__(self, payload: PayloadT_contra, /, *, ctx: Context) -> ResultT_co: ...
    @overload
    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class WithInit(Protocol[Own, PayloadT_contra, ResultT_co]):
    """``(payload, init)``, in any order after the payload."""

    @overload
    def __call__(self, payload: PayloadT_contra, /, *, init: Never) -> ResultT_co: ...
    @overload
    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class WithSignal(Protocol[Own, PayloadT_contra, ResultT_co]):
    """``(payload, signal)``, in any order after the payload."""

    @overload
    def __call__(self, payload: PayloadT_contra, /, *, signal: Signal) -> ResultT_co: ...
    @overload
    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class WithContextInit(Protocol[Own, PayloadT_contra, ResultT_co]):
    """``(payload, ctx, init)``, in any order after the payload."""

    @overload
    def __call__(self, payload: PayloadT_contra, /, *, ctx: Context, init: Never) -> ResultT_co: ...
    @overload
    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class WithContextSignal(Protocol[Own, PayloadT_contra, ResultT_co]):
    """``(payload, ctx, signal)``, in any order after the payload."""

    @overload
    def __call__(self, payload: PayloadT_contra, /, *, ctx: Context, signal: Signal) -> ResultT_co: ...
    @overload
    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class WithInitSignal(Protocol[Own, PayloadT_contra, ResultT_co]):
    """``(payload, init, signal)``, in any order after the payload."""

    @overload
    def __call__(self, payload: PayloadT_contra, /, *, init: Never, signal: Signal) -> ResultT_co: ...
    @overload
    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class WithAll(Protocol[Own, PayloadT_contra, ResultT_co]):
    """``(payload, ctx, init, signal)``, in any order after the payload."""

    @overload
    def __call__(self, payload: PayloadT_contra, /, *, ctx: Context, init: Never, signal: Signal) -> ResultT_co: ...
    @overload
    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class AllOptional(Protocol[Own, FirstT_contra, ResultT_co]):
    """``(days=30)``, and more parameters with defaults."""

    @overload
    def __call__(self) -> ResultT_co: ...
    @overload
    def __call__(self, first: FirstT_contra, /) -> ResultT_co: ...
    @overload
    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class SecondOptional(Protocol[Own, FirstT_contra, SecondT_contra, ResultT_co]):
    """``(order_id, amount=1)``, and more parameters with defaults."""

    @overload
    def __call__(self, first: FirstT_contra, /) -> ResultT_co: ...
    @overload
    def __call__(self, first: FirstT_contra, second: SecondT_contra, /) -> ResultT_co: ...
    @overload
    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class ContextFirst(Protocol[Own, SecondT_contra, Others, ResultT_co]):
    """``(ctx, order_id, ...)``. ``Own``: without the context."""

    @overload
    def __call__(
        self, ctx: Context, second: SecondT_contra, /, *args: Others.args, **kwargs: Others.kwargs
    ) -> ResultT_co: ...
    @overload
    def __call__(self, ctx: Context, /, *args: Own.args, **kwargs: Own.kwargs) -> ResultT_co: ...


class TaskDecorator(Protocol):
    """The decorator that ``task(...)`` makes. The first overload that matches counts; the last is every other shape."""

    @overload
    def __call__(
        self, function: AllOptional[Own, FirstT, Coroutine[Any, Any, ResultT]]
    ) -> ParametersTask[Own, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(self, function: AllOptional[Own, FirstT, ResultT]) -> ParametersTask[Own, ResultT, Own, ResultT]: ...
    @overload
    def __call__(
        self, function: Callable[[], Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[None, ResultT, [], Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(self, function: Callable[[], ResultT]) -> FunctionTask[None, ResultT, [], ResultT]: ...
    @overload
    def __call__(
        self, function: WithContext[Own, PayloadT, Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[PayloadT, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(
        self, function: WithContext[Own, PayloadT, ResultT]
    ) -> FunctionTask[PayloadT, ResultT, Own, ResultT]: ...
    @overload
    def __call__(
        self, function: WithInit[Own, PayloadT, Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[PayloadT, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(self, function: WithInit[Own, PayloadT, ResultT]) -> FunctionTask[PayloadT, ResultT, Own, ResultT]: ...
    @overload
    def __call__(
        self, function: WithSignal[Own, PayloadT, Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[PayloadT, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(
        self, function: WithSignal[Own, PayloadT, ResultT]
    ) -> FunctionTask[PayloadT, ResultT, Own, ResultT]: ...
    @overload
    def __call__(
        self, function: WithContextInit[Own, PayloadT, Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[PayloadT, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(
        self, function: WithContextInit[Own, PayloadT, ResultT]
    ) -> FunctionTask[PayloadT, ResultT, Own, ResultT]: ...
    @overload
    def __call__(
        self, function: WithContextSignal[Own, PayloadT, Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[PayloadT, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(
        self, function: WithContextSignal[Own, PayloadT, ResultT]
    ) -> FunctionTask[PayloadT, ResultT, Own, ResultT]: ...
    @overload
    def __call__(
        self, function: WithInitSignal[Own, PayloadT, Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[PayloadT, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(
        self, function: WithInitSignal[Own, PayloadT, ResultT]
    ) -> FunctionTask[PayloadT, ResultT, Own, ResultT]: ...
    @overload
    def __call__(
        self, function: WithAll[Own, PayloadT, Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[PayloadT, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(self, function: WithAll[Own, PayloadT, ResultT]) -> FunctionTask[PayloadT, ResultT, Own, ResultT]: ...
    @overload
    def __call__(
        self, function: ContextFirst[Own, SecondT, Others, Coroutine[Any, Any, ResultT]]
    ) -> ParametersTask[Own, ResultT, Concatenate[Context, Own], Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(
        self, function: ContextFirst[Own, SecondT, Others, ResultT]
    ) -> ParametersTask[Own, ResultT, Concatenate[Context, Own], ResultT]: ...
    @overload
    def __call__(
        self, function: OnlyContext[Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[None, ResultT, [Context], Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(self, function: OnlyContext[ResultT]) -> FunctionTask[None, ResultT, [Context], ResultT]: ...
    @overload
    def __call__(
        self, function: SecondOptional[Own, FirstT, SecondT, Coroutine[Any, Any, ResultT]]
    ) -> ParametersTask[Own, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(
        self, function: SecondOptional[Own, FirstT, SecondT, ResultT]
    ) -> ParametersTask[Own, ResultT, Own, ResultT]: ...
    @overload
    def __call__(
        self, function: AnyPayload[Own, Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[Any, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(self, function: AnyPayload[Own, ResultT]) -> FunctionTask[Any, ResultT, Own, ResultT]: ...
    @overload
    def __call__(
        self, function: OnlyPayload[Own, PayloadT, Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[PayloadT, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(
        self, function: OnlyPayload[Own, PayloadT, ResultT]
    ) -> FunctionTask[PayloadT, ResultT, Own, ResultT]: ...
    @overload
    def __call__(
        self, function: Callable[Own, Coroutine[Any, Any, ResultT]]
    ) -> ParametersTask[Own, ResultT, Own, Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(self, function: Callable[Own, ResultT]) -> ParametersTask[Own, ResultT, Own, ResultT]: ...
