"""Hooks as decorators: ``@render_invoice.on_failure`` for one task, ``@tasks.on_failure("alert")`` for all of them."""

from collections.abc import Callable
from typing import TypeVar, overload

from taskflow.definition.hook_sets import HookSet
from taskflow.definition.hooks import HookKind

HookT = TypeVar("HookT", bound=Callable[..., object])


class HookDecorator:
    """The decorator that adds a function as a hook. In parentheses it takes the hook's name for logs."""

    __slots__ = ("_hooks", "_kind")

    def __init__(self, kind: HookKind, hooks: HookSet) -> None:
        self._kind: HookKind = kind
        self._hooks = hooks

    @overload
    def __call__(self, hook: str) -> Callable[[HookT], HookT]: ...
    @overload
    def __call__(self, hook: HookT) -> HookT: ...
    def __call__(self, hook: str | HookT) -> Callable[[HookT], HookT] | HookT:
        """Add a hook and return it unchanged.

        Raises:
            DefinitionError: It cannot be called as one; the message names the parameter and the remedy.
        """
        if not isinstance(hook, str):
            self._hooks.add(self._kind, hook)
            return hook
        name = hook

        def add(function: HookT) -> HookT:
            self._hooks.add(self._kind, function, name)
            return function

        return add


class _Declares:
    """The decorator of one kind, as an attribute of a class with hooks."""

    def __init__(self, kind: HookKind) -> None:
        self._kind: HookKind = kind

    def __get__(self, instance: "Hooked", owner: "type[Hooked] | None" = None) -> HookDecorator:
        return HookDecorator(self._kind, instance.hook_set())


class Hooked:
    """A class with hooks. A hook takes the values that it needs by name; it may be ``def`` or ``async def``."""

    init = _Declares("init")
    """Before each attempt: the mapping it returns is the attempt's ``init``. Takes payload, ctx, signal."""
    cleanup = _Declares("cleanup")
    """After each attempt, however it ended. Takes payload, ctx, init, signal, as all that follow."""
    middleware = _Declares("middleware")
    """Around each attempt: a generator that yields once, or a function that calls ``next()``. Has no ``init``."""
    on_start = _Declares("on_start")
    """Before the run's first attempt."""
    on_start_attempt = _Declares("on_start_attempt")
    """Before each attempt."""
    on_success = _Declares("on_success")
    """Once, when the run has completed. Takes output."""
    on_error = _Declares("on_error")
    """After each failed attempt. Takes error."""
    on_failure = _Declares("on_failure")
    """Once, when the run has failed for good. Takes error and reason."""
    on_complete = _Declares("on_complete")
    """Once, when the run has ended in any way. Takes output, error, result and reason."""
    on_wait = _Declares("on_wait")
    """Before each wait that gives the run's slot back. Takes wait."""
    on_resume = _Declares("on_resume")
    """After each such wait. Takes wait."""
    on_cancel = _Declares("on_cancel")
    """Once, when the run was canceled. Takes reason."""
    catch_error = _Declares("catch_error")
    """After each failed attempt, to decide what follows: see ``Caught``. Takes error and retry."""

    def hook_set(self) -> HookSet:
        """Return the set of its hooks."""
        raise NotImplementedError
