"""The payload of a task with several parameters: a JSON object with their names, made of the function's signature."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import ConfigDict, Field
from pydantic_core import from_json, to_json, to_jsonable_python

from taskflow.definition.documents.annotation import Annotation
from taskflow.definition.documents.arguments import Arguments
from taskflow.definition.documents.payload import PayloadType


@dataclasses.dataclass(frozen=True, slots=True)
class SignatureAnnotation(Annotation):
    """The type of the payload that a signature makes. ``value`` is the signature's text.

    Attributes:
        name: Of the type, for its JSON Schema.
        module: Of the function.
        annotations: Those of the parameters, by name.
        defaults: The defaults of the parameters that have one.
    """

    name: str
    module: str
    annotations: Mapping[str, Annotation]
    defaults: Mapping[str, object]

    def resolve(self) -> object:
        """Return a dataclass with a field for each parameter.

        Raises:
            DefinitionError: An annotation cannot be resolved.
        """
        fields = [self._field(name, annotation.resolve()) for name, annotation in self.annotations.items()]
        namespace = {"__module__": self.module, "__pydantic_config__": ConfigDict(extra="forbid")}
        return dataclasses.make_dataclass(self.name, fields, namespace=namespace, kw_only=True)

    def _field(self, name: str, annotated: Any) -> Any:
        if name not in self.defaults:
            return name, annotated
        default = self.defaults[name]
        try:
            shown = to_jsonable_python(default)
        except ValueError:  # it has no JSON: the schema does not show it
            return name, annotated, dataclasses.field(default_factory=lambda: default)
        if type(default).__hash__ is not None:
            return name, annotated, dataclasses.field(default=default)
        extra = Field(json_schema_extra={"default": shown})
        return name, Annotated[annotated, extra], dataclasses.field(default_factory=lambda: default)


class ParametersPayload(PayloadType):
    """The payload of a task with several parameters: bound ``Arguments``, or a mapping of the parameters' names."""

    __slots__ = ()

    def dump(self, payload: object) -> bytes:
        """Return the JSON of the arguments of a call, without the defaults.

        Raises:
            PayloadError: An argument does not fit. The text names it and never a value.
            DefinitionError: An annotation cannot be used.
        """
        given = payload.values if isinstance(payload, Arguments) else payload
        document = PayloadType.dump(self, given)
        return (
            _without_defaults(document, cast("Mapping[str, object]", given)) if isinstance(given, Mapping) else document
        )


def _without_defaults(document: bytes, given: Mapping[str, object]) -> bytes:
    """Leave out the parameters that were not given, so that code without them still takes the call."""
    written = cast("dict[str, object]", from_json(document))
    if len(written) == len(given):
        return document
    return to_json({name: value for name, value in written.items() if name in given})
