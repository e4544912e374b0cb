"""Hooks of one task, hooks of all tasks, and the plan that both make for an attempt."""

import contextlib
import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from taskflow.definition.hooks import HOOK_KINDS, Hook, HookKind, check_around, read_hook

HookOption = Callable[..., object] | Sequence[Callable[..., object]]
"""The value of an option like ``on_failure=``: a function, or several in their order."""


@dataclass(frozen=True, slots=True)
class HookPlan:
    """The hooks of an attempt, by kind, in the order in which they are called (a middleware's: outermost first)."""

    hooks: Mapping[HookKind, tuple[Hook, ...]]

    @property
    def is_empty(self) -> bool:
        """Whether there are no hooks, so that only the function is called."""
        return not self.hooks

    def of(self, kind: HookKind) -> tuple[Hook, ...]:
        """Return the hooks of a kind."""
        return self.hooks.get(kind, ())


class HookSet:
    """Hooks by kind, in the order of their declaration.

    Args:
        owner: The owner of the hooks, for messages.
        task_id: The ``async def`` task that has them: not every middleware can be around one.
    """

    def __init__(self, owner: str, async_task: str | None = None) -> None:
        self._owner = owner
        self._async_task = async_task
        self._hooks: tuple[Hook, ...] = ()
        self._planned: tuple[tuple[Hook, ...], tuple[Hook, ...], HookPlan] | None = None

    def add(self, kind: HookKind, function: Callable[..., object], name: str = "") -> None:
        """Add a hook. The same function imported again replaces itself.

        Raises:
            DefinitionError: It cannot be called as a hook of that kind.
        """
        new = read_hook(kind, function, self._owner, name)
        if self._async_task is not None:
            check_around(new, self._async_task)
        location = _location(new)
        if location is not None and any(_location(hook) == location for hook in self._hooks):
            self._hooks = tuple(new if _location(hook) == location else hook for hook in self._hooks)
        else:
            self._hooks = (*self._hooks, new)

    def add_option(self, kind: HookKind, given: HookOption | None) -> None:
        """Add the hooks of an option of ``@task``.

        Raises:
            DefinitionError: See ``add``.
        """
        if given is None:
            return
        is_one = not isinstance(given, list | tuple)
        for function in cast("Sequence[Callable[..., object]]", [given] if is_one else given):
            self.add(kind, function)

    def plan(self, task_id: str, *, is_async: bool) -> HookPlan:
        """Return the plan of the task that has these hooks. Those of all tasks come first, except ``catch_error``.

        Raises:
            DefinitionError: A middleware of all tasks cannot be around this one.
        """
        planned = self._planned
        if planned is None or planned[0] is not declared_hooks._hooks or planned[1] is not self._hooks:
            of_all = declared_hooks._hooks
            if is_async:
                of_all = tuple(hook.twin or hook for hook in of_all)
                for hook in of_all:
                    check_around(hook, task_id)
            planned = (declared_hooks._hooks, self._hooks, _plan(of_all, self._hooks))
            self._planned = planned
        return planned[2]

    @contextlib.contextmanager
    def isolated(self) -> Generator[None]:
        """Drop on exit the hooks that were added inside. For tests that declare hooks of all tasks."""
        before = self._hooks
        try:
            yield
        finally:
            self._hooks = before


def _plan(of_all: tuple[Hook, ...], own: tuple[Hook, ...]) -> HookPlan:
    hooks: dict[HookKind, tuple[Hook, ...]] = {}
    for kind in HOOK_KINDS:
        both = (*own, *of_all) if kind == "catch_error" else (*of_all, *own)
        of_kind = tuple(hook for hook in both if hook.kind == kind)
        if of_kind:
            hooks[kind] = of_kind
    return HookPlan(hooks)


def _location(hook: Hook) -> tuple[str, str, str, int] | None:
    """Return the location of a hook's definition, None when it is unknown or defines several functions."""
    code = getattr(inspect.unwrap(hook.function), "__code__", None)
    qualname: str = getattr(hook.function, "__qualname__", "<")
    if code is None or "<" in qualname:  # <locals>, <lambda>
        return None
    return hook.kind, qualname, code.co_filename, code.co_firstlineno


declared_hooks: Final = HookSet("all tasks")
"""The hooks of all tasks of this process: ``@tasks.on_failure`` adds to it."""
