"""One lifecycle hook: its function and parameters. A function that no attempt could call is refused at import."""

import dis
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from taskflow.errors import DefinitionError
from taskflow.suggestions import did_you_mean

HookKind = Literal[
    "init", "cleanup", "middleware", "on_start", "on_start_attempt", "on_success", "on_error", "on_failure",
    "on_complete", "on_wait", "on_resume", "on_cancel", "catch_error",
]  # fmt: skip
HOOK_KINDS: Final[tuple[HookKind, ...]] = get_args(HookKind)

_ALWAYS: Final = ("payload", "ctx", "signal")
_INITED: Final = (*_ALWAYS, "init")
PARAMETERS: Final[Mapping[HookKind, tuple[str, ...]]] = {
    "middleware": (*_ALWAYS, "next"),
    "init": _ALWAYS,
    "cleanup": _INITED,
    "on_start": _INITED,
    "on_start_attempt": _INITED,
    "on_success": (*_INITED, "output"),
    "on_error": (*_INITED, "error"),
    "on_failure": (*_INITED, "error", "reason"),
    "on_complete": (*_INITED, "output", "error", "result", "reason"),
    "on_wait": (*_INITED, "wait"),
    "on_resume": (*_INITED, "wait"),
    "on_cancel": (*_INITED, "reason"),
    "catch_error": (*_INITED, "error", "retry"),
}
"""The parameters that a hook of each kind may have, by name and in any order."""

_AFTER_A_YIELD: Final = 1
_BY_NAME: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Hook:
    """A function that attempts call.

    Attributes:
        owner: Its owner, for messages: ``"task 'render'"`` or ``"all tasks"``.
        wants: The names of its parameters.
        is_async: ``async def``, so that it is not called in a thread. An awaitable result is awaited in any case.
        is_generator: A middleware that yields once instead of calling ``next``.
        twin: The middleware around ``async def`` tasks in its place: its function's attribute ``for_coroutines``.
    """

    kind: HookKind
    function: Callable[..., object]
    name: str
    owner: str
    wants: tuple[str, ...]
    is_async: bool
    is_generator: bool
    twin: "Hook | None" = None

    @property
    def label(self) -> str:
        """Its name in messages and logs."""
        return f"{self.kind} {self.name!r}"

    def arguments(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return its arguments from the values, None for a value that does not exist."""
        return {name: values.get(name) for name in self.wants if name != "next"}

    def refusal(self, what: str, remedy: str, value: object = None) -> DefinitionError:
        """Return the error that refuses it."""
        return _refusal(self.kind, self.name, self.owner, what, value, remedy)


def read_hook(kind: HookKind, function: Callable[..., object], owner: str, name: str = "") -> Hook:
    """Make a hook of a function.

    Raises:
        DefinitionError: It cannot be called as a hook of that kind: the message names hook, parameter and remedy.
    """
    name = name or str(getattr(function, "__qualname__", type(function).__name__))
    if _is_uncallable(function):
        raise _refusal(kind, name, owner, "is not a function", function, f"Give {kind} a function, or a list of them.")
    code = _code_of(function)
    is_generator = inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code)
    hook = Hook(
        kind,
        function,
        name,
        owner,
        _wants(kind, function, name, owner),
        inspect.iscoroutinefunction(code),
        is_generator,
    )
    _check_form(hook, code)
    in_coroutines: Callable[..., object] | None = getattr(function, "for_coroutines", None)
    if in_coroutines is None or kind != "middleware":
        return hook
    return replace(hook, twin=read_hook(kind, in_coroutines, owner, name))


def check_around(hook: Hook, task_id: str) -> None:
    """Refuse a middleware that cannot run around an ``async def`` task.

    Raises:
        DefinitionError: A ``def`` that calls ``next()``: it would block the event loop until the task has ended.
    """
    if hook.kind == "middleware" and not (hook.is_async or hook.is_generator):
        remedy = "Write async def and await next(), or a generator: what comes before, yield, what comes after."
        raise hook.refusal(f"is a def that calls next() around the async def task {task_id!r}", remedy, hook.function)


def _is_uncallable(value: object) -> bool:
    """Whether a value is not a function, whatever its annotation: options come from code that may be unchecked."""
    return not callable(value)


def _code_of(function: Callable[..., object]) -> Callable[..., object]:
    """Return the function whose code a call executes; for a callable object, ``__call__`` of its class."""
    has_code = hasattr(function, "__code__") or inspect.ismethod(function) or hasattr(function, "func")  # a partial
    return function if has_code else type(function).__call__


def _wants(kind: HookKind, function: Callable[..., object], name: str, owner: str) -> tuple[str, ...]:
    known = PARAMETERS[kind]
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        if parameter.kind not in _BY_NAME:
            remedy = f"It is called by name with any of {', '.join(known)}: declare those it needs."
            raise _refusal(kind, name, owner, "has a parameter that is not passed by name", str(parameter), remedy)
        if parameter.name not in known:
            remedy = did_you_mean(parameter.name, known, f"parameters of {kind}")
            raise _refusal(kind, name, owner, f"has an unknown parameter {parameter.name!r}", str(parameter), remedy)
    return tuple(parameter.name for parameter in parameters)


def _check_form(hook: Hook, code: Callable[..., object]) -> None:
    if hook.kind != "middleware":
        if hook.is_generator:
            raise hook.refusal("yields", "Only a middleware may yield; return instead.", hook.function)
        return
    if hook.is_generator:
        if "next" in hook.wants:
            raise hook.refusal("yields and takes next", "The run happens at the yield: leave next out.", hook.function)
        if _count_yields(code) > 1:
            remedy = "The run happens at the yield: write one, with the branches around it."
            raise hook.refusal("has more than one yield", remedy, hook.function)
    elif "next" not in hook.wants:
        remedy = "Write yield where the run is to happen, or take next and call it."
        raise hook.refusal("has no place for the run", remedy, hook.function)


def _count_yields(code: Callable[..., object]) -> int:
    """Count the yields in the source: the compiler copies those in a ``finally``, with their position."""
    bytecode = getattr(inspect.unwrap(code), "__code__", None)
    positional = {
        instruction.positions
        for instruction in (dis.get_instructions(bytecode) if bytecode else ())
        if instruction.opname == "RESUME" and instruction.arg is not None and instruction.arg & 3 == _AFTER_A_YIELD
    }
    return len(positional)


def _refusal(kind: HookKind, name: str, owner: str, what: str, value: object, remedy: str) -> DefinitionError:
    return DefinitionError(f"The {kind} {name!r} of {owner} {what}", option=kind, value=value, remedy=remedy)
