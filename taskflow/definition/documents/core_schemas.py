"""Questions to the core schema that pydantic makes of a type."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeGuard, cast

from pydantic_core import CoreSchema

_CONSTANT: Final = (list, dict, set, tuple, frozenset, str, int, float, bool)


def nodes(schema: object) -> Iterator[Mapping[str, Any]]:
    """Visit every node of a schema."""
    if _is_node(schema):
        yield schema
        for key, child in schema.items():
            if key != "metadata":
                yield from nodes(child)
    elif isinstance(schema, list | tuple):
        for child in cast("list[object]", schema):
            yield from nodes(child)


def holds_any(schema: object) -> bool:
    """Whether a part is annotated as ``Any``, so that plain JSON may stand for its value."""
    return any(node.get("type") in ("any", "is-instance") for node in nodes(schema)) or _has_bare_container(schema)


def holds_keys(schema: object) -> bool:
    """Whether keys are data, and not the names of fields."""
    return any(
        node.get("type") in ("dict", "any", "is-instance", "typed-dict")
        or node.get("extra_fields_behavior") == "allow"
        or node.get("extra_behavior") == "allow"
        for node in nodes(schema)
    )


def named_classes(schema: object) -> frozenset[type]:
    """Return the classes that the type names."""
    return frozenset(node["cls"] for node in nodes(schema) if isinstance(node.get("cls"), type))


def may_vary(schema: object) -> bool:
    """Whether two validations of the same data may give two values: code of the user's takes part."""
    return any(
        str(node.get("type", "")).startswith("function-")
        or node.get("post_init")
        or node.get("custom_init")
        or node.get("default_factory", list) not in _CONSTANT
        for node in nodes(schema)
    )


def timeless(schema: CoreSchema) -> CoreSchema:
    """Return the schema without what depends on the clock: a date in the future is one only when it is given."""
    if not any("now_op" in node for node in nodes(schema)):
        return schema
    return cast("CoreSchema", _without_clock(schema))


def _without_clock(schema: object) -> object:
    if _is_node(schema):
        return {
            key: child if key == "metadata" else _without_clock(child)
            for key, child in schema.items()
            if key not in ("now_op", "now_utc_offset")
        }
    if isinstance(schema, list):
        return [_without_clock(child) for child in cast("list[object]", schema)]
    if isinstance(schema, tuple):
        return tuple(_without_clock(child) for child in cast("tuple[object, ...]", schema))
    return schema


def _has_bare_container(schema: object) -> bool:
    return any(
        (node.get("type") in ("list", "set", "frozenset") and "items_schema" not in node)
        or (node.get("type") == "dict" and ("keys_schema" not in node or "values_schema" not in node))
        for node in nodes(schema)
    )


def _is_node(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, dict)
