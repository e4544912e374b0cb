"""Functions with several parameters: ``(order_id, amount=1, *, note=None)``, after ``ctx`` if they take that."""

import inspect
from collections.abc import Callable, Sequence
from typing import Final

from pydantic.fields import FieldInfo

from taskflow.definition.documents.annotation import Annotation
from taskflow.definition.documents.parameters import SignatureAnnotation
from taskflow.definition.parameters.parameters import Parameters
from taskflow.definition.parameters.reader import CTX, EMPTY, INJECTED, NO_METHOD, POSITIONAL, Reader

_KEYWORD: Final = inspect.Parameter.KEYWORD_ONLY
_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def has_several(parameters: Sequence[inspect.Parameter]) -> bool:
    """Whether a function takes the arguments of a call. One parameter that must be given, by position, is a payload."""
    own = [parameter for parameter in parameters if parameter.name not in INJECTED]
    if len(own) != 1:
        return len(own) > 1
    return own[0].kind not in _VARIADIC and (_has_default(own[0]) or own[0].kind is _KEYWORD)


def read_several(
    reader: Reader, function: Callable[..., object], parameters: Sequence[inspect.Parameter]
) -> tuple[Annotation, Parameters]:
    """Return the type of the payload that the parameters make, and the parameters.

    Raises:
        DefinitionError: A parameter cannot be filled, or type checkers could not see how.
    """
    for index, parameter in enumerate(parameters):
        _check(reader, index, parameter)
    takes_context = parameters[0].name == CTX
    own = parameters[1:] if takes_context else parameters
    _check_is_visible(reader, own, takes_context=takes_context)
    bare = inspect.Signature([parameter.replace(annotation=EMPTY) for parameter in own])
    return _payload(reader, function, own), Parameters(reader.task_id, bare, takes_context)


def _check(reader: Reader, index: int, parameter: inspect.Parameter) -> None:
    name = parameter.name
    if index == 0 and name in ("self", "cls"):
        reader.refuse("is a method", name, NO_METHOD)
    if parameter.kind in _VARIADIC:
        remedy = f"Write the parameters out, or take one that is a list or a dict, for example {name}: list[str]."
        reader.refuse("has parameters without names, so that their types are unknown", str(parameter), remedy)
    if isinstance(parameter.default, FieldInfo):
        remedy = f"Write {name}: Annotated[int, Field(gt=0)] = 1: Python takes what is behind = for the value itself."
        reader.refuse("has a parameter whose default is a Field", str(parameter), remedy)
    if name == "self" or (name.startswith("__") and name.endswith("__")):
        reader.refuse("has a parameter with a name of Python's own", name, "Give it another name.")
    if name == CTX:
        if index > 0 or parameter.kind not in POSITIONAL:
            remedy = f"Put it first, where a bound task of Celery has self: def f({CTX}: Context, order_id, amount)."
            reader.refuse("has several parameters, and ctx is not the first", str(parameter), remedy)
        reader.check_context(parameter)
    elif name in INJECTED:
        remedy = f"Take ctx as the first parameter, which has ctx.{name}, or give the parameter another name."
        reader.refuse(f"has several parameters and takes {name}", str(parameter), remedy)
    elif parameter.annotation is not EMPTY:
        reader.refuse_context(reader.annotation(f"The parameter {name!r}", parameter.annotation), name)


def _check_is_visible(reader: Reader, own: Sequence[inspect.Parameter], *, takes_context: bool) -> None:
    """Refuse a signature that type checkers cannot tell from ``()``, ``(ctx)`` or ``(payload)``.

    Parameters that only a name can fill, all with defaults, do not distinguish one function type from another.
    """
    positional = [parameter for parameter in own if parameter.kind is not _KEYWORD]
    keywords = [parameter for parameter in own if parameter.kind is _KEYWORD]
    are_optional = all(map(_has_default, keywords))
    is_payload = len(positional) <= 1 and are_optional and not any(map(_has_default, positional))
    if (not positional) if takes_context else (bool(keywords) and is_payload):
        remedy = f"Write it without the *, so that {keywords[0].name} may be given by position, too."
        reader.refuse("has parameters that type checkers do not see", str(inspect.Signature(own)), remedy)


def _payload(reader: Reader, function: Callable[..., object], own: Sequence[inspect.Parameter]) -> Annotation:
    words = [word for word in function.__name__.split("_") if word.isidentifier()]
    return SignatureAnnotation(
        f"The payload of task {reader.task_id!r}",
        str(inspect.Signature(own)),
        reader.namespace,
        name="".join([*map(str.capitalize, words), "Payload"]),
        module=function.__module__,
        annotations={each.name: reader.annotation(f"The parameter {each.name!r}", each.annotation) for each in own},
        defaults={each.name: each.default for each in own if _has_default(each)},
    )


def _has_default(parameter: inspect.Parameter) -> bool:
    return parameter.default is not EMPTY
