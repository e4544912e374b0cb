"""Turn an annotation, which may be text, into pydantic's validator and serializer: on first use, not at import."""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeGuard

from pydantic import Secret, SecretBytes, SecretStr, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

from taskflow.definition.documents.adapter import Adapter
from taskflow.errors import DefinitionError
from taskflow.texts import message_of

_MESSAGE_CHARS: Final = 1000
_MAY_HOLD_FLOATS: Final = frozenset({"float", "any", "is-instance"})

_NEVER: Final[tuple[object, ...]] = (typing.NoReturn, typing.Never)
"""Results of functions that always raise. Pydantic has no schema for them, and no value is to be checked."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation in the source of a function.

    Attributes:
        owner: The parameter or result that has it, for messages: ``"The payload 'order' of task 'render'"``.
        value: A type, or the text of one.
        namespace: Names that the text may use: the function's live globals, because a name may be defined later.
    """

    owner: str
    value: object
    namespace: Mapping[str, object]

    @property
    def text(self) -> str:
        """The annotation as text, about as it is in the source."""
        return self.value if isinstance(self.value, str) else inspect.formatannotation(self.value)

    def resolve(self) -> object:
        """Return the annotation as a type.

        Raises:
            DefinitionError: Its text names something that does not exist.
        """
        try:
            return _evaluate(self.value, self.namespace)
        except Exception as error:  # an annotation is user code: it may raise anything
            remedy = "Define or import what it names in the module of the task, and not only under TYPE_CHECKING."
            raise self._wrong(f"has an annotation that cannot be resolved: {_first_line(error)}", remedy) from error

    def adapter(self) -> Adapter:
        """Return the adapter of the annotated type.

        Raises:
            DefinitionError: The annotation cannot be resolved, pydantic does not support it, or values of the type
                would be stored as asterisks.
        """
        annotated = self.resolve()
        try:
            adapter = _type_adapter(None if annotated in _NEVER else annotated)
            if not adapter.pydantic_complete:
                adapter.rebuild(raise_errors=True)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # a type's own schema may raise anything
            remedy = "Use a pydantic model, a dataclass, a TypedDict or a type that JSON has."
            is_usual = isinstance(error, PydanticUserError | SchemaError | TypeError | NameError)
            why = _first_line(error) if is_usual else f"{type(error).__name__}: {_first_line(error)}"
            raise self._wrong(f"has a type that pydantic cannot handle: {why}", remedy) from error
        schema = adapter.core_schema
        if _has_secret(schema):
            remedy = (
                "Use a plain str with a serializer (or SecretStr with one that returns its value), or send a reference."
            )
            raise self._wrong("holds a pydantic secret, which is stored as asterisks: its value would be lost", remedy)
        return Adapter(adapter, may_hold_floats=any(node.get("type") in _MAY_HOLD_FLOATS for node in _nodes(schema)))

    def _wrong(self, what: str, remedy: str) -> DefinitionError:
        return DefinitionError(f"{self.owner} {what}", option="annotation", value=self.value, remedy=remedy)


def namespace_of(function: Callable[..., object]) -> Mapping[str, object]:
    """Return the names that the text of a function's annotations may use."""
    innermost = inspect.unwrap(function)
    return innermost.__globals__ if isinstance(innermost, types.FunctionType) else {}


def _type_adapter(annotated: object) -> TypeAdapter[object]:
    make = typing.cast("Callable[[object], TypeAdapter[object]]", TypeAdapter)  # checkers take types, not values
    return make(annotated)


def _evaluate(value: object, namespace: Mapping[str, object]) -> object:
    if not isinstance(value, str | typing.ForwardRef):
        return value
    holder = types.SimpleNamespace(__annotations__={"value": value})
    return typing.get_type_hints(holder, dict(namespace), include_extras=True)["value"]


def _first_line(error: BaseException) -> str:
    return message_of(error, _MESSAGE_CHARS).split("\n", 1)[0] or type(error).__name__


@functools.cache
def _maskers() -> frozenset[object]:
    """Return the functions with which pydantic writes secrets as asterisks, found by what they serialise."""
    secrets = (SecretStr, SecretBytes, Secret[str])
    functions = (
        _serializer_of(node).get("function") for secret in secrets for node in _nodes(_type_adapter(secret).core_schema)
    )
    return frozenset(function for function in functions if function is not None)


def _has_secret(schema: object) -> bool:
    return any(_serializer_of(node).get("function") in _maskers() for node in _nodes(schema))


def _nodes(schema: object) -> Iterator[Mapping[str, object]]:
    """Visit a core schema, except below a serializer of the user's own, which alone decides what is written."""
    if _is_node(schema):
        yield schema
        if not _has_own_serializer(schema):
            for key, child in schema.items():
                if key != "metadata":
                    yield from _nodes(child)
    elif _is_sequence(schema):
        for child in schema:
            yield from _nodes(child)


def _serializer_of(node: Mapping[str, object]) -> Mapping[str, object]:
    serialization = node.get("serialization")
    return serialization if _is_node(serialization) else {}


def _has_own_serializer(node: Mapping[str, object]) -> bool:
    function = _serializer_of(node).get("function")
    return function is not None and not str(getattr(function, "__module__", "")).startswith("pydantic.")


def _is_node(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, dict)


def _is_sequence(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list | tuple)
