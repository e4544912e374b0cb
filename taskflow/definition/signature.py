"""Read the parameters and the return annotation of a task's function; refuse at import a function no run could call.

With one payload the function is called as ``function(payload, ctx=ctx, init=init, signal=signal)``, with those of them
that it has. With several parameters it is called with these, after ``ctx`` if that comes first.
Annotations may still be text with names that are defined later, so that some checks wait for the first use.
"""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Final

from taskflow.definition.documents.annotation import Annotation
from taskflow.definition.documents.parameters import ParametersPayload
from taskflow.definition.documents.payload import PayloadType
from taskflow.definition.parameters.parameters import Parameters
from taskflow.definition.parameters.reader import CTX, INJECTED, NO_METHOD, POSITIONAL, Reader
from taskflow.definition.parameters.several import has_several, read_several
from taskflow.errors import DefinitionError

_SHAPES: Final = (
    "A task takes (payload), (payload, ctx), (ctx) or nothing; init and signal may follow the payload. Or it has "
    "several parameters of its own, after ctx if it takes that."
)
_BY_NAME: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature of a task's function.

    Attributes:
        payload: The annotation of its payload, or the type that its parameters make. None when it takes nothing.
        wants: Which of ``ctx``, ``init`` and ``signal`` it takes beside a payload, by name.
        output: None without an annotation.
        parameters: None unless it has several parameters.
    """

    payload: Annotation | None
    wants: tuple[str, ...]
    output: Annotation | None
    is_async: bool
    parameters: Parameters | None = None

    def payload_type(self, task_id: str) -> PayloadType | None:
        """Return the type of the payloads of the task."""
        if self.payload is None:
            return None
        return (ParametersPayload if self.parameters else PayloadType)(task_id, self.payload)


def read_signature(function: Callable[..., object], task_id: str) -> Signature:
    """Return the signature of a task's function.

    Raises:
        DefinitionError: It is not a plain function, or takes what no run could pass.
    """
    _check_kind(function, task_id)
    signature = _inspect(function)
    parameters = list(signature.parameters.values())
    reader = _PayloadReader(task_id, function)
    output, is_async = reader.output(signature), inspect.iscoroutinefunction(function)
    if has_several(parameters):
        payload, several = read_several(reader, function, parameters)
        return Signature(payload, (), output, is_async, several)
    names = [parameter.name for parameter in parameters]
    if CTX in names[:1]:
        if len(parameters) > 1:
            reader.refuse("has ctx before its payload", names[1], f"Put the payload first: def f({names[1]}, ctx).")
        annotation, injected = None, parameters
    else:
        annotation = reader.payload(parameters[0]) if parameters else None
        injected = parameters[1:]
    for parameter in injected:
        reader.check_injected(parameter)
    wants = tuple(parameter.name for parameter in injected)
    return Signature(annotation, wants, output, is_async)


class _PayloadReader(Reader):
    """The reader of a function that takes one payload."""

    def payload(self, parameter: inspect.Parameter) -> Annotation:
        name = parameter.name
        if name in ("self", "cls"):
            self.refuse("is a method", name, NO_METHOD)
        if name in INJECTED:
            remedy = f"A task without a payload takes ctx alone, which has ctx.{name}."
            self.refuse(f"takes {name} before its payload", name, remedy)
        if parameter.kind not in POSITIONAL:
            self.refuse("takes its payload in a way that no run can pass", str(parameter), _SHAPES)
        annotation = self.annotation(f"The payload {name!r}", parameter.annotation)
        self.refuse_context(annotation, name)
        return annotation

    def check_injected(self, parameter: inspect.Parameter) -> None:
        name = parameter.name
        if parameter.kind not in _BY_NAME:
            remedy = f"Write it without / or *: def f(payload, {name})."
            self.refuse(f"does not take {name} by name", str(parameter), remedy)
        if name == CTX:
            self.check_context(parameter)


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
