"""The faults of a payload by the JSON Schema of its task, for processes that do not have the task's type."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from referencing.exceptions import Unresolvable

from taskflow.definition.calls.token_schema import validator_of
from taskflow.definition.documents.exact_json import is_array, is_object

MOST_FAULTS: Final = 100


def schema_faults(schema: Mapping[str, Any], document: object) -> Sequence[tuple[tuple[str, ...], str]]:
    """Return the faults of a document, at most 100: each with its path, and without the value."""
    try:
        found = validator_of(json.dumps(schema)).iter_errors(document)
        faults = [each for each, _ in zip(found, range(MOST_FAULTS), strict=False)]
        return [(_path(each), _message(each)) for each in faults]
    except Unresolvable:
        return []
    except Exception:  # noqa: BLE001 - a schema that can't be used says nothing about the payload; the worker checks it
        return []


def _path(fault: Any) -> tuple[str, ...]:
    path = tuple(str(step) for step in fault.absolute_path)
    if fault.validator == "required" and is_object(fault.instance):
        wanted: object = fault.validator_value
        missing = [str(name) for name in (wanted if is_array(wanted) else ()) if name not in fault.instance]
        named = [name for name in missing if fault.message.startswith(repr(name))]
        return (*path, *named[:1])
    return path


def _message(fault: Any) -> str:
    """Return the message without the value, which may be a secret or long."""
    kind, wanted = fault.validator, fault.validator_value
    words = {
        "required": "Field required",
        "type": f"Input should be {' or '.join(wanted) if is_array(wanted) else wanted}",
        "enum": "Input should be one of the values of the list",
        "const": "Input should be the constant",
        "pattern": f"Input should match {wanted}",
        "minimum": f"Input should be at least {wanted}",
        "maximum": f"Input should be at most {wanted}",
        "exclusiveMinimum": f"Input should be greater than {wanted}",
        "exclusiveMaximum": f"Input should be less than {wanted}",
        "minLength": f"Input should have at least {wanted} characters",
        "maxLength": f"Input should have at most {wanted} characters",
        "minItems": f"Input should have at least {wanted} items",
        "maxItems": f"Input should have at most {wanted} items",
        "additionalProperties": "Input has a member that is not allowed",
    }
    return words.get(str(kind), f"Input does not fit {kind} of the schema")[:300]
