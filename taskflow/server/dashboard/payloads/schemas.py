"""JSON Schemas as a form needs them: references resolved, null apart, kinds named, and an example of each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from taskflow.definition.documents.exact_json import Digits, is_array, is_object
from taskflow.server.dashboard.payloads.documents import steps_of

Schema: TypeAlias = Mapping[str, Any]
_DEEPEST: Final = 8
_MOST_VALUES: Final = 20_000
"""Values that the examples of one schema have at most: references may multiply them."""
_MOST_SHAPES: Final = 20_000
"""Shapes that are looked for: unions of unions may multiply them, too."""
_SCALARS: Final = ("string", "number", "integer", "boolean")
_SECRET: Final = re.compile("passw|secret|token|api_?key", re.IGNORECASE)
_FORMATS: Final = {
    "date-time": "2026-01-31T12:00:00Z", "date": "2026-01-31", "time": "12:00:00Z", "duration": "PT5M",
    "uuid": "00000000-0000-4000-8000-000000000000", "email": "ana@example.com", "uri": "https://example.com/",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema without its references.

    Attributes:
        kind: ``string``, ``number``, ``integer``, ``boolean``, ``enum``, ``decimal``, ``object``, ``array``, ``map``,
            ``variants``, or ``json`` for what a form can't show.
        name: The name of the definition, else of the kind.
        variants: The schemas to choose from, with their names.
        behind: The definitions that lead here, so that recursion ends.
    """

    schema: Schema
    kind: str
    name: str
    is_nullable: bool = False
    variants: Sequence[tuple[str, Schema]] = ()
    behind: frozenset[str] = frozenset()

    @property
    def is_simple(self) -> bool:
        """Whether the value is one field."""
        return self.kind in (*_SCALARS, "enum", "decimal")

    @property
    def is_secret(self) -> bool:
        """Whether the value is hidden while it is typed."""
        return self.schema.get("format") == "password" or self.schema.get("writeOnly") is True

    @property
    def choices(self) -> Sequence[object]:
        """The values of an ``enum``."""
        return list(self.schema["enum"]) if "enum" in self.schema else [self.schema.get("const")]


class Schemas:
    """A schema with its definitions. It may be hostile: it is read, never followed outside of itself."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._left = _MOST_VALUES
        self._shapes_left = _MOST_SHAPES

    def shape(self, schema: object, behind: frozenset[str] = frozenset()) -> Shape:
        """Return the shape of a schema, which stands behind some definitions."""
        names = behind
        name = ""
        while is_object(schema) and isinstance(schema.get("$ref"), str):
            reference = str(schema["$ref"])
            if reference in names:
                return Shape(schema, "json", reference.rpartition("/")[2], behind=names)
            names |= {reference}
            name = reference.rpartition("/")[2]
            siblings = {key: each for key, each in schema.items() if key != "$ref"}
            found = self._at(reference)
            schema = {**found, **siblings} if is_object(found) else found
        self._shapes_left -= 1
        if not is_object(schema) or self._shapes_left < 0:
            return Shape({}, "json", name or "any JSON", behind=names)
        return self._shape(schema, name, names)

    def _shape(self, schema: Schema, name: str, behind: frozenset[str]) -> Shape:
        parts = schema.get("allOf")
        if is_array(parts) and len(parts) == 1 and is_object(parts[0]):
            outer = {key: each for key, each in schema.items() if key != "allOf"}
            return self.shape({**parts[0], **outer}, behind)
        if is_array(schema.get("enum")) or "const" in schema:
            choices = schema["enum"] if is_array(schema.get("enum")) else [schema["const"]]
            is_plain = bool(choices) and not any(isinstance(each, dict | list) for each in choices)
            return Shape(schema, "enum" if is_plain else "json", name or "enum", None in choices, behind=behind)
        for key in ("anyOf", "oneOf"):
            if is_array(schema.get(key)):
                return self._union(schema, key, name, behind)
        kind, is_nullable = _type_of(schema)
        if kind == "object":
            kind = _object_kind(schema)
        if kind == "array" and not is_object(schema.get("items")):
            kind = "json"
        return Shape(schema, kind, name or _type_name(schema, kind), is_nullable, behind=behind)

    def _union(self, schema: Schema, key: str, name: str, behind: frozenset[str]) -> Shape:
        given = [each for each in schema[key] if is_object(each)]
        branches = [each for each in given if each.get("type") != "null"]
        is_nullable = len(branches) < len(given)
        outer = {each: value for each, value in schema.items() if each not in (key, "discriminator")}
        if len(branches) == 1:
            only = self.shape({**branches[0], **outer}, behind)
            return Shape(only.schema, only.kind, only.name, True, only.variants, only.behind)
        kinds = sorted(str(each.get("type")) for each in branches)
        if kinds == ["number", "string"]:  # pydantic's schema of Decimal
            bounds = {each: value for each, value in branches[0].items() if each not in ("type", "pattern")}
            return Shape({**bounds, **outer}, "decimal", name or "decimal", is_nullable, behind=behind)
        named = [(_branch_name(each, place), each) for place, each in enumerate(branches)]
        shapes = [self.shape(each, behind) for each in branches[:50]]
        is_chosen = 0 < len(branches) <= 50 and all(each.kind == "object" for each in shapes)
        if is_chosen and (tag := _tag(schema, shapes)):
            labels = [_constant(each, tag, label) for each, (label, _) in zip(shapes, named, strict=True)]
            named = list(zip(labels, branches, strict=True))
            return Shape({**schema, "x-tag": tag}, "variants", name or "one of", is_nullable, named, behind)
        return Shape(schema, "json", name or "one of several", is_nullable, behind=behind)

    def _at(self, reference: str) -> object:
        """Return what a reference inside of the schema leads to, None if it leads nowhere or outside."""
        if not reference.startswith("#"):
            return None
        found: object = self._root
        for step in steps_of(reference[1:]):
            if not is_object(found) or step not in found:
                return None
            found = found[step]
        return found

    def example(self, schema: object, *, is_whole: bool = False, behind: frozenset[str] = frozenset()) -> object:
        """Return a value that the schema asks for.

        Args:
            is_whole: Whether optional members get a value, too.
        """
        return self._example(self.shape(schema, behind), is_whole, 0)

    def _example(self, shape: Shape, is_whole: bool, depth: int) -> object:
        schema = shape.schema
        self._left -= 1
        if "default" in schema:
            return with_digits(schema["default"])
        examples = schema.get("examples")
        if is_array(examples) and examples:
            return with_digits(examples[0])
        if self._left < 0 or depth > _DEEPEST or (shape.is_nullable and not is_whole):
            return None
        if shape.kind == "enum":
            return with_digits(next((each for each in shape.choices if each is not None), None))
        if shape.kind == "object":
            return self._object(shape, is_whole, depth)
        if shape.kind == "array":
            least = schema.get("minItems", 0)
            count = min(least, 5) if isinstance(least, int) else 0
            item = self.shape(schema["items"], shape.behind)
            return [self._example(item, is_whole, depth + 1) for _ in range(max(count, int(is_whole)))]
        if shape.kind == "variants":
            return self._example(self.shape(shape.variants[0][1], shape.behind), is_whole, depth + 1)
        if shape.kind in ("integer", "number", "decimal"):
            return Digits(_least(schema))
        blanks: dict[str, object] = {"boolean": False, "map": {}, "string": _text(schema)}
        return blanks.get(shape.kind)

    def _object(self, shape: Shape, is_whole: bool, depth: int) -> object:
        required = shape.schema.get("required", [])
        members = shape.schema.get("properties", {})
        return {
            name: self._example(self.shape(each, shape.behind), is_whole, depth + 1)
            for name, each in list(members.items())[:200]
            if is_whole or name in required
        }


def with_digits(value: object) -> object:
    """Return a value of Python's as a document has it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Digits(value)
    if is_object(value):
        return {str(key): with_digits(each) for key, each in value.items()}
    return [with_digits(each) for each in value] if is_array(value) else value


def is_secret_name(name: str) -> bool:
    """Whether a member of that name is hidden while it is typed."""
    return _SECRET.search(name) is not None


def _type_of(schema: Schema) -> tuple[str, bool]:
    given = schema.get("type")
    kinds = [str(each) for each in given] if is_array(given) else [str(given)]
    others = [each for each in kinds if each != "null"]
    if len(others) == 1 and others[0] in (*_SCALARS, "object", "array"):
        return others[0], len(others) < len(kinds)
    if given is None and is_object(schema.get("properties")):
        return "object", False
    return "json", "null" in kinds


def _object_kind(schema: Schema) -> str:
    if "patternProperties" in schema:
        return "json"
    if is_object(schema.get("properties")):
        return "object"
    return "map" if is_object(schema.get("additionalProperties")) else "json"


def _type_name(schema: Schema, kind: str) -> str:
    if kind == "json":
        return "any JSON" if "type" not in schema else str(schema["type"])
    return str(schema.get("format", kind)) if kind == "string" else kind


def _branch_name(branch: Schema, place: int) -> str:
    reference = branch.get("$ref")
    return str(reference).rpartition("/")[2] if reference else str(branch.get("title", f"variant {place + 1}"))


def _tag(schema: Schema, shapes: Sequence[Shape]) -> str:
    """Return the member whose constant tells the variants apart, "" if there is none."""
    discriminator = schema.get("discriminator")
    if is_object(discriminator) and isinstance(discriminator.get("propertyName"), str):
        return str(discriminator["propertyName"])
    members: list[Schema] = [each.schema.get("properties", {}) for each in shapes]
    for name in sorted(map(str, members[0])):
        if all(is_object(each.get(name)) and "const" in each[name] for each in members):
            return name
    return ""


def _constant(shape: Shape, tag: str, label: str) -> str:
    member = shape.schema.get("properties", {}).get(tag)
    return str(member["const"]) if is_object(member) and "const" in member else label


def _least(schema: Schema) -> str:
    for key, more in (("minimum", 0), ("exclusiveMinimum", 1)):
        least = schema.get(key)
        if isinstance(least, int | float) and not isinstance(least, bool):
            return str(least + more)
    return "0"


def _text(schema: Schema) -> str:
    least = schema.get("minLength", 0)
    return _FORMATS.get(str(schema.get("format")), "a" * (min(least, 100) if isinstance(least, int) else 0))
