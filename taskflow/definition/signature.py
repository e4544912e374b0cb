"""Read the parameters and the return annotation of a task's function; refuse at import a function no run could call.

The function is called as ``function(payload, ctx=ctx, init=init, signal=signal)``, with those parameters that it has.
Annotations may still be text with names that are defined later, so that some checks wait for the first use.
"""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

from taskflow.definition.context import Context
from taskflow.definition.documents.annotation import Annotation, namespace_of
from taskflow.errors import DefinitionError

_CTX: Final = "ctx"
_INJECTED: Final = (_CTX, "init", "signal")
_SHAPES: Final = "A task takes (payload), (payload, ctx), (ctx) or nothing; init and signal may follow the payload."
_EMPTY: Final = inspect.Parameter.empty
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature of a task's function. ``wants``: parameters by name; ``output``: None without an annotation."""

    payload: Annotation | None
    wants: tuple[str, ...]
    output: Annotation | None
    is_async: bool


def read_signature(function: Callable[..., object], task_id: str) -> Signature:
    """Return the signature of a task's function.

    Raises:
        DefinitionError: It is not a plain function, or takes anything but a payload, ``ctx``, ``init`` and ``signal``.
    """
    _check_kind(function, task_id)
    signature = _inspect(function)
    parameters = list(signature.parameters.values())
    reader = _Reader(task_id, function)
    names = [parameter.name for parameter in parameters]
    if _CTX in names[:1]:
        if len(parameters) > 1:
            reader.refuse("has ctx before its payload", names[1], "Put the payload first: def f(payload, ctx).")
        payload, injected = None, parameters
    else:
        payload = reader.payload(parameters[0]) if parameters else None
        injected = parameters[1:]
    for parameter in injected:
        reader.check_injected(parameter)
    wants = tuple(parameter.name for parameter in injected)
    return Signature(payload, wants, reader.output(signature), inspect.iscoroutinefunction(function))


class _Reader:
    """The reader of one function's parameters. Every refusal names the task."""

    def __init__(self, task_id: str, function: Callable[..., object]) -> None:
        self._task_id = task_id
        self._namespace = namespace_of(function)

    def payload(self, parameter: inspect.Parameter) -> Annotation:
        name = parameter.name
        if name in ("self", "cls"):
            self.refuse("is a method", name, "Move it out of its class: a worker has no instance to call it on.")
        if name in _INJECTED:
            remedy = f"A task without a payload takes ctx alone, which has ctx.{name}."
            self.refuse(f"takes {name} before its payload", name, remedy)
        if parameter.kind not in _POSITIONAL:
            self.refuse("takes its payload in a way that no run can pass", str(parameter), _SHAPES)
        if parameter.default is not _EMPTY:
            remedy = f"Write {name} without '= {parameter.default!r}', and give the payload's fields the defaults."
            self.refuse("has a default for its payload", str(parameter), remedy)
        annotation = self._annotation(f"The payload {name!r}", parameter.annotation)
        if self._is_context(annotation) is True:
            self.refuse("takes its context under another name", name, f"Call the parameter {_CTX}.")
        return annotation

    def check_injected(self, parameter: inspect.Parameter) -> None:
        name = parameter.name
        if name not in _INJECTED:
            remedy = f"{_SHAPES} Make it a field of the payload."
            self.refuse("has a parameter that no run can fill", str(parameter), remedy)
        if parameter.kind not in _BY_NAME:
            remedy = f"Write it without / or *: def f(payload, {name})."
            self.refuse(f"does not take {name} by name", str(parameter), remedy)
        if name == _CTX:
            self._check_context(parameter)

    def _check_context(self, parameter: inspect.Parameter) -> None:
        annotation = self._annotation("The parameter 'ctx'", parameter.annotation)
        if parameter.annotation is not _EMPTY and self._is_context(annotation) is False:
            remedy = "Annotate it as taskflow.Context; a payload needs another name."
            self.refuse("has a ctx that is not a Context", annotation.text, remedy)

    def output(self, signature: inspect.Signature) -> Annotation | None:
        if signature.return_annotation in (_EMPTY, Any, "Any"):
            return None
        return self._annotation("The output", signature.return_annotation)

    def refuse(self, what: str, value: object, remedy: str) -> None:
        raise DefinitionError(f"Task {self._task_id!r} {what}", option="function", value=value, remedy=remedy)

    def _annotation(self, what: str, value: object) -> Annotation:
        value = Any if value is _EMPTY else value
        return Annotation(f"{what} of task {self._task_id!r}", value, self._namespace)

    def _is_context(self, annotation: Annotation) -> bool | None:
        """Whether an annotation is Context; None when it cannot be resolved yet."""
        try:
            return annotation.resolve() is Context
        except DefinitionError:  # text with a name that is defined later, or imported for type checkers only
            return None


def _check_kind(function: object, task_id: str) -> None:
    if not isinstance(function, FunctionType):
        remedy = "Decorate a plain function: def or async def, outside of a class."
        raise DefinitionError(f"Task {task_id!r} is not a function", option="function", value=function, remedy=remedy)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        remedy = "Return a value instead of yielding."
        raise DefinitionError(f"Task {task_id!r} is a generator", option="function", value=function, remedy=remedy)


def _inspect(function: Callable[..., object]) -> inspect.Signature:
    if sys.version_info >= (3, 14):  # annotations are evaluated at their first use: a name may be defined later
        import annotationlib  # exists from 3.14 on

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)
