"""Write values as JSON and read them back, through pydantic. The same for payloads and outputs.

The stored JSON uses field names, never aliases, and leaves computed fields out, so that it reads back as the same
value. It is standard JSON: NaN and infinities are refused, although pydantic would turn them into ``null``.
"""

from typing import Final

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import ErrorDetails, PydanticSerializationError, from_json

from taskflow.definition.documents.unserialisable import find_non_finite, find_unserialisable, path_of

_MOST_ERRORS: Final = 10


class UnwritableError(ValueError):
    """A value cannot be written as JSON. The text names the place and the reason, without the value."""


class Adapter:
    """One type's validator and serializer, bound once: this is on the path of every trigger."""

    __slots__ = ("_dump", "_may_hold_floats", "_read", "_type", "_validate", "_write")

    def __init__(self, type_adapter: TypeAdapter[object], *, may_hold_floats: bool) -> None:
        self._type = type_adapter
        self._may_hold_floats = may_hold_floats
        self._validate = type_adapter.validator.validate_python
        self._read = type_adapter.validator.validate_json
        self._dump = type_adapter.serializer.to_python
        self._write = type_adapter.serializer.to_json

    def validate(self, value: object) -> object:
        """Return the value as the type: an instance, or data that pydantic accepts for it, by field name or alias.

        Raises:
            ValidationError: It does not fit.
        """
        validated: object = self._validate(value, by_alias=True, by_name=True)
        return validated

    def write(self, value: object) -> bytes:
        """Return the JSON of a value of the type.

        Raises:
            UnwritableError: The value is not of the type, or holds something that JSON cannot carry.
        """
        try:
            document = self._write(value, by_alias=False, round_trip=True, warnings="error")
        except PydanticSerializationError as error:
            raise UnwritableError(self._place(value)) from error
        if b"null" in document or b"NaN" in document or b"Infinity" in document:
            self._check_written(value, document)
        return document

    def read(self, document: bytes) -> object:
        """Return the value of a document that ``write`` made.

        Raises:
            ValidationError: It does not fit.
        """
        value: object = self._read(document, by_alias=False, by_name=True)
        return value

    def json_schema(self, *, by_alias: bool = True) -> dict[str, object]:
        """Return the JSON Schema of what is accepted, empty where the type has none."""
        try:
            return self._type.json_schema(by_alias=by_alias)
        except PydanticInvalidForJsonSchema:
            return {}

    def _check_written(self, value: object, document: bytes) -> None:
        """Find NaN behind a ``null``, and None in fields that may not be None: no reader would accept it."""
        reason = find_non_finite(value) if self._may_hold_floats else None
        if reason:
            raise UnwritableError(f"{reason}, which JSON cannot carry")
        try:
            from_json(document, allow_inf_nan=False)
            self.read(document)
        except ValidationError as invalid:
            raise UnwritableError(explain(invalid)) from None
        except ValueError as error:
            raise UnwritableError(f"it is not JSON: {error}") from None

    def _place(self, value: object) -> str:
        reason = find_unserialisable(value)
        if reason:
            return f"{reason}, which JSON cannot carry"
        for part in (value, self._dump(value, warnings="none")):  # an instance hides its fields from the validator
            try:
                self._validate(part, strict=True, by_alias=True, by_name=True)
            except ValidationError as invalid:
                wrong = invalid.errors(include_url=False, include_context=False)[0]
                return f"{path_of(wrong['loc'])} is of type {type(wrong['input']).__name__}: {wrong['msg']}"
        return f"$ is of type {type(value).__name__}, and it or a part of it is not what the annotation says"


def explain(invalid: ValidationError) -> str:
    """Return pydantic's text for each wrong field, without the values, so that they stay out of logs."""
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    text = "; ".join(map(_explain_one, errors[:_MOST_ERRORS]))
    left = len(errors) - _MOST_ERRORS
    return f"{text}; and {left} more" if left > 0 else text


def _explain_one(error: ErrorDetails) -> str:
    return f"{path_of(error['loc']).removeprefix('$.')}: {error['msg']}"
