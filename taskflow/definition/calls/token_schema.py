"""The JSON Schema of a token's type: kept with it, so that a completion is checked where the type is not at hand.

Custom validators of a type are not part of its schema: they are checked where the run reads the value.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final, cast
from uuid import UUID

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError, from_json, to_json

from taskflow.definition.documents.annotation import Annotation
from taskflow.errors import DefinitionError, TokenDataError

if TYPE_CHECKING:  # jsonschema takes 90 ms to import, and only a completion without the type needs it
    import jsonschema

LARGEST: Final = 64 * 1024
"""Most bytes of a token's schema."""
_FORMATS: Final[Mapping[str, object]] = {
    "date-time": datetime, "date": date, "time": time, "duration": timedelta, "uuid": UUID,
}  # fmt: skip
_SHOWN: Final = 200


def token_schema(output_type: object) -> str:
    """Return the JSON Schema of a token's type as text, "" for any JSON and for a type that has none.

    Raises:
        DefinitionError: The type can't be used, or its schema is too large.
    """
    if output_type is None:
        return ""
    try:
        return _cached(output_type)
    except TypeError:  # it can't be hashed
        return _schema(output_type)


def schema_digest(schema: str) -> str:
    """Return the digest by which a completion states what its output was checked against, "" for no schema."""
    return hashlib.sha1(schema.encode(), usedforsecurity=False).hexdigest() if schema else ""


def check_by_schema(token_id: str, schema: str, output: bytes) -> None:
    """Refuse the JSON of a completion that does not fit the token's schema.

    Raises:
        TokenDataError: It does not fit.
    """
    try:
        error = next(validator_of(schema).iter_errors(from_json(output)), None)
    except RecursionError:
        raise TokenDataError(token_id, "it is nested too deeply.") from None
    if error is not None:
        raise TokenDataError(token_id, f"{_place(error)}: {_rule(error)}. See: taskflow tokens get {token_id}")


def _schema(output_type: object) -> str:
    adapter = Annotation("A token's output_type", output_type, {}).adapter()
    schema = adapter.json_schema(by_alias=False)
    text = json.dumps(schema, sort_keys=True, separators=(",", ":")) if schema else ""
    if len(text.encode()) > LARGEST:
        raise DefinitionError(
            f"The JSON Schema of a token's type is {len(text):,} characters and the limit is {LARGEST:,} bytes",
            option="output_type",
            value=output_type,
            remedy="Use a smaller type, or none and validate what the token gives.",
        )
    return text


_cached = lru_cache(maxsize=256)(_schema)


@lru_cache(maxsize=64)
def validator_of(schema: str) -> "jsonschema.Draft202012Validator":
    """Return the validator of a schema. It fetches nothing, and is linear in time where the library is not."""
    import jsonschema
    from jsonschema.validators import extend
    from referencing import Registry

    # An empty registry, because nothing is ever fetched.
    keywords = {
        "pattern": _pattern,
        "uniqueItems": _unique_items,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    }
    kind = extend(jsonschema.Draft202012Validator, keywords)
    return kind(json.loads(schema), registry=Registry[Any](), format_checker=_formats())


@cache
def _formats() -> "jsonschema.FormatChecker":
    """Return the formats that pydantic's types have, checked as pydantic does."""
    import jsonschema

    checker = jsonschema.FormatChecker(())
    for name, kind in _FORMATS.items():
        adapter = cast("TypeAdapter[object]", TypeAdapter(cast("Any", kind)))

        def fits(value: object, adapter: TypeAdapter[object] = adapter) -> bool:
            if isinstance(value, str):
                adapter.validate_json(to_json(value))
            return True

        checker.checks(name, raises=ValidationError)(fits)
    return checker


@lru_cache(maxsize=256)
def _of_pattern(pattern: str) -> TypeAdapter[str] | None:
    try:
        return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    except SchemaError:  # it looks ahead or back, which pydantic's engine does not, because that is linear in time
        return None


def _pattern(
    _: object, pattern: object, value: object, _schema: Mapping[str, object]
) -> "Iterator[jsonschema.ValidationError]":
    if isinstance(value, str) and not _matches(str(pattern), value):
        yield _broken("pattern")


def _matches(pattern: str, text: str) -> bool:
    adapter = _of_pattern(pattern)
    if adapter is None:
        return len(text) <= _SHOWN and re.search(pattern, text) is not None
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


def _pattern_properties(
    validator: Any, patterns: Any, value: object, _schema: Mapping[str, object]
) -> "Iterator[jsonschema.ValidationError]":
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        for pattern, inner in patterns.items():
            for name, each in members:
                if _matches(pattern, name):
                    yield from validator.descend(each, inner, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, inner: Any, value: object, schema: Mapping[str, Any]
) -> "Iterator[jsonschema.ValidationError]":
    if not isinstance(value, dict):
        return
    members = cast("dict[str, object]", value)
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    others = [name for name in members if name not in known and not any(_matches(each, name) for each in patterns)]
    if isinstance(inner, dict):
        for name in others:
            yield from validator.descend(members[name], inner, path=name)
    elif inner is False and others:
        yield _broken("additionalProperties")


def _unique_items(
    _: object, is_asked: object, value: object, _schema: Mapping[str, object]
) -> "Iterator[jsonschema.ValidationError]":
    """Compare the items' texts, because comparing each with each takes minutes for a long list."""
    if is_asked and isinstance(value, list):
        items = cast("list[object]", value)
        if len({to_json(item) for item in items}) < len(items):
            yield _broken("uniqueItems")


def _broken(keyword: str) -> "jsonschema.ValidationError":
    import jsonschema

    return jsonschema.ValidationError(f"breaks {keyword}")


def _place(error: "jsonschema.ValidationError") -> str:
    return ".".join(str(part) for part in error.absolute_path)[:_SHOWN] or "the value"


def _rule(error: "jsonschema.ValidationError") -> str:
    """Return the rule that a value breaks, without the value, so that it stays out of logs."""
    expected = json.dumps(error.validator_value, default=str)
    expected = expected if len(expected) <= _SHOWN else f"{expected[:_SHOWN]}..."
    match error.validator:
        case "type":
            return f"it is not of type {expected}"
        case "required":
            return f"it lacks one of the fields {expected}"
        case "enum" | "const":
            return f"it is not {expected}"
        case "additionalProperties":
            return "it has a field that its type does not have"
        case keyword:
            return f"it breaks {keyword} {expected}"
