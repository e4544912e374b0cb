"""Write values as JSON and read them back, through pydantic. The same for payloads, outputs, items and tokens.

A value is stored so that it arrives as it was, or it is refused. Plain data is stored as it was given and becomes the
type where it is read: a validator acts once. An instance is stored as its own JSON, with field names, without aliases
and computed fields, if this JSON reads back as the same value. It is standard JSON: NaN and infinities are refused,
although pydantic would turn them into ``null``.
"""

import marshal
from typing import Final, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import CoreSchema, ErrorDetails, SchemaValidator, from_json, to_json

from taskflow.definition.documents.core_schemas import holds_any, holds_keys, may_vary, named_classes, timeless
from taskflow.definition.documents.differences import first_difference, is_same
from taskflow.definition.documents.escaping import can_be_escaped, escaped_value
from taskflow.definition.documents.readable import MOST_DIGITS, SHORT, find_unreadable, unreadable
from taskflow.definition.documents.survival import Exactly, survival
from taskflow.definition.documents.unserialisable import find_non_finite, find_unserialisable, path_of

_MOST_ERRORS: Final = 10
_PLAIN: Final = frozenset({dict, list, str, int, float, bool, type(None), tuple})
_REPLACED: Final = b"\xef\xbf\xbd"  # what pydantic writes for a lone surrogate in a key


class UnwritableError(ValueError):
    """A value cannot be written as JSON. The text names the place and the reason, without the value."""


class Adapter:
    """One type's validator and serializer, bound once: this is on the path of every trigger."""

    __slots__ = (
        "_certain",
        "_class",
        "_dump",
        "_has_keys",
        "_judge",
        "_may_be_plain",
        "_may_hold_floats",
        "_may_vary",
        "_named",
        "_read",
        "_short",
        "_type",
        "_validate",
        "_write",
    )

    def __init__(self, type_adapter: TypeAdapter[object], *, may_hold_floats: bool) -> None:
        schema: CoreSchema = type_adapter.core_schema
        self._type = type_adapter
        self._may_hold_floats = may_hold_floats
        self._may_be_plain = holds_any(schema)
        self._may_vary = may_vary(schema)
        self._named = named_classes(schema)
        surviving = survival(schema)
        self._certain = surviving.check if surviving else None
        self._class = self._certain.cls if isinstance(self._certain, Exactly) else None
        self._has_keys = holds_keys(schema)
        self._short = MOST_DIGITS - 1 if surviving and not surviving.is_recursive else SHORT
        self._validate = type_adapter.validator.validate_python
        self._judge = type_adapter.validator.validate_json
        lasting = timeless(schema)
        self._read = self._judge if lasting is schema else SchemaValidator(lasting, None, False).validate_json
        self._dump = type_adapter.serializer.to_python
        self._write = type_adapter.serializer.to_json

    def dump(self, given: object) -> bytes:
        """Return the JSON of what a caller gave: data that validates as the type, or an instance of it.

        Raises:
            ValidationError: It does not fit.
            UnwritableError: It would not arrive as it was given.
        """
        cls = type(given)
        if cls is self._class:  # nothing would be validated
            return self.write(given)
        if cls not in _PLAIN:
            return self.write(self._validate(given, by_alias=True, by_name=True))
        document = self._dump_plain(given)
        if document is None:
            value: object = self._validate(given, by_alias=True, by_name=True)
            is_certain = self._certain is not None and self._certain(value)
            document = (None if is_certain else self._as_given(given, value)) or self.write(value)
        return document

    def write(self, value: object) -> bytes:
        """Return the JSON of a value of the type.

        Raises:
            UnwritableError: The value is not of the type, holds something that JSON cannot carry, or would not be read
                back as it is.
        """
        try:
            document = self._write(value, by_alias=False, round_trip=True, warnings="error")
        except Exception as error:
            raise UnwritableError(self._place(value)) from error
        if b"null" in document or b"NaN" in document or b"Infinity" in document:
            self._check_written(value, document)
        if (type(value) is not self._class and (self._certain is None or not self._certain(value))) or (
            self._has_keys and _REPLACED in document
        ):
            self._check_arrival(value, document)
        if len(document) > self._short and (reason := unreadable(document)):
            reason = find_unreadable(self._dump(value, warnings="none")) or reason
            raise UnwritableError(f"{reason}, which JSON cannot carry")
        return document

    def write_escaped(self, value: object) -> bytes | None:
        r"""Return the JSON of a value whose texts hold lone surrogates, with each one as ``\udc80``.

        None if that is not why the value could not be written, or if it does not fit the type that way.
        """
        try:
            plain = self._dump(value, by_alias=False, round_trip=True)
            if not can_be_escaped(plain):
                return None
            document = to_json(escaped_value(plain), inf_nan_mode="constants")
            from_json(document, allow_inf_nan=False)
            self._judge(document, by_alias=True, by_name=True)
        except Exception:  # noqa: BLE001 - then the value is refused with the reason of the first try
            return None
        return None if unreadable(document) else document

    def read(self, document: bytes) -> object:
        """Return the value of a stored document. What depends on the clock was judged when it was written.

        Raises:
            ValidationError: It does not fit.
        """
        value: object = self._read(document, by_alias=True, by_name=True)
        return value

    def json_schema(self, *, by_alias: bool = True) -> dict[str, object]:
        """Return the JSON Schema of what is accepted, empty where the type has none."""
        try:
            return self._type.json_schema(by_alias=by_alias)
        except PydanticInvalidForJsonSchema:
            return {}

    def _dump_plain(self, given: object) -> bytes | None:
        """Return the JSON of data that is nothing but JSON, which is the data itself; None for other data."""
        try:
            is_sure = self._certain is not None and not self._has_keys
            if is_sure:
                marshal.dumps(cast("None", given), 2)  # refuses all but builtin values, in a third of the time
            document = to_json(given, inf_nan_mode="constants")
            is_sure = is_sure and b"NaN" not in document and b"Infinity" not in document
            if not is_sure and from_json(document, allow_inf_nan=False) != given:
                return None
        except Exception:  # noqa: BLE001 - a part has code of its own, or is no JSON: the caller's error names it
            return None
        value: object = self._judge(document, by_alias=True, by_name=True)
        if self._may_vary and self._differs(value, self._judge(document, by_alias=True, by_name=True)):
            return self._settled(value) or document
        return document

    def _as_given(self, given: object, value: object) -> bytes | None:
        """Return the JSON of data with parts that are no JSON, such as dates, if it is read as the validated value."""
        try:
            document = to_json(given, by_alias=False, round_trip=True)
            from_json(document, allow_inf_nan=False)
            return None if self._differs(value, self._judge(document, by_alias=True, by_name=True)) else document
        except Exception:  # noqa: BLE001 - then the JSON of the validated value is tried, and names the place
            return None

    def _settled(self, value: object) -> bytes | None:
        """Return the JSON of a value that each validation makes anew, e.g. with a random id, so that it stays."""
        try:
            return self.write(value)
        except UnwritableError:
            return None

    def _differs(self, value: object, arrived: object) -> str | None:
        return (
            None
            if is_same(value, arrived)
            else first_difference(value, arrived, may_be_plain=self._may_be_plain, named=self._named)
        )

    def _check_arrival(self, value: object, document: bytes) -> None:
        try:
            place = self._differs(value, self._judge(document, by_alias=True, by_name=True))
        except ValidationError as invalid:
            raise UnwritableError(f"its own JSON does not fit: {explain(invalid)}. {_REMEDY}") from None
        except Exception as error:
            raise UnwritableError(f"its own JSON cannot be read: {type(error).__name__}") from error
        if place is not None:
            raise UnwritableError(
                f"{place} would not arrive as it is, because its JSON is read as another value. {_REMEDY}"
            )

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


_REMEDY: Final = (
    "A subclass, an excluded field or a validator that changes its own result may be the cause: give plain data, or "
    "a type that survives its JSON"
)


def explain(invalid: ValidationError) -> str:
    """Return pydantic's text for each wrong field, without the values, so that they stay out of logs."""
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    text = "; ".join(map(_explain_one, errors[:_MOST_ERRORS]))
    left = len(errors) - _MOST_ERRORS
    return f"{text}; and {left} more" if left > 0 else text


def _explain_one(error: ErrorDetails) -> str:
    return f"{path_of(error['loc']).removeprefix('$.')}: {error['msg']}"
