"""The fields of a form: what a schema asks for, filled with what a document has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from taskflow.definition.documents.exact_json import Digits, compact, is_array, is_object
from taskflow.server.dashboard.payloads.documents import pointer_of, write
from taskflow.server.dashboard.payloads.schemas import Schema, Schemas, Shape, is_secret_name, with_digits

_MOST_FIELDS: Final = 1500
_MOST_ROWS: Final = 100
_MOST_COLUMNS: Final = 4
_DEEPEST: Final = 10
_LONG: Final = 200
_WIDE: Final = ("object", "rows", "map", "variants", "absent", "area", "json", "segments", "large")
_BOUNDS: Final = {
    "minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below",
    "multipleOf": "a multiple of",
}  # fmt: skip
_MISSING: Final = object()
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A value to choose, as JSON."""

    label: str
    value: str
    is_chosen: bool


@dataclass(slots=True)
class Field:
    """One field, or a group of them.

    Attributes:
        kind: The name of its macro: ``text area secret number decimal switch segments select date time instant json
            object rows map variants``.
        edit: How an edit of it is written: ``text``, ``number`` or ``json``.
        value: The text in the field; "" when the document has no value.
        empty: What an emptied field becomes: ``keep`` (an empty value), ``null`` or ``drop``.
        blank: The JSON of a further row or member.
        faults: The messages at this field; ``below`` counts those of its fields, too.
    """

    pointer: str
    name: str
    kind: str
    type: str
    edit: str = "text"
    value: str = ""
    is_present: bool = True
    is_required: bool = False
    is_nullable: bool = False
    hint: str = ""
    default: str = ""
    empty: str = "keep"
    blank: str = ""
    choices: Sequence[Choice] = ()
    fields: Sequence["Field"] = ()
    columns: Sequence[str] = ()
    faults: Sequence[str] = ()
    more: int = 0
    below: int = field(default=0)

    @property
    def lines(self) -> Sequence[Sequence["Field"]]:
        """The fields as lines of a form: simple ones in pairs, others alone."""
        lines: list[list[Field]] = []
        for each in self.fields:
            is_alone = each.kind in _WIDE
            if is_alone or not lines or len(lines[-1]) == 2 or lines[-1][0].kind in _WIDE:
                lines.append([each])
            else:
                lines[-1].append(each)
        return lines


class Form:
    """The fields of one document."""

    def __init__(self, schema: object, document: object, faults: Mapping[Path, Sequence[str]]) -> None:
        self._schemas, self._faults = Schemas(schema), dict(faults)
        self._left = _MOST_FIELDS
        self.root = self._field((), "payload", self._schemas.shape(schema), document, is_required=True)
        if self.root.type == "object":
            self.root.type = str(schema.get("title", "object"))[:_LONG] if is_object(schema) else "object"
        self.faults = [(path, text) for path, texts in self._faults.items() for text in texts]
        """The faults of values that no field stands for."""

    def _field(self, path: Path, name: str, shape: Shape, value: object, *, is_required: bool) -> Field:
        self._left -= 1
        made = self._made(path, name, shape, value)
        made.is_required, made.is_nullable = is_required, shape.is_nullable
        made.is_present = value is not _MISSING
        made.empty = "null" if shape.is_nullable else "keep" if is_required else "drop"
        made.hint = made.hint or _hint(shape)
        if shape.schema.get("default") is not None:
            made.default = compact(with_digits(shape.schema["default"]))[:_LONG]
        made.faults = self._faults.pop(path, ())
        made.below = len(made.faults) + sum(each.below for each in made.fields)
        return made

    def _made(self, path: Path, name: str, shape: Shape, value: object) -> Field:
        if self._left < 0 or len(path) > _DEEPEST:
            return self._json(path, name, shape, value)
        if shape.is_simple:
            return _simple(path, name, shape, value)
        if value in (_MISSING, None) and path and shape.kind != "json":
            return self._absent(path, name, shape, value)
        if shape.kind == "object" and is_object(value):
            return self._object(path, name, shape, value)
        if shape.kind == "array" and is_array(value) and len(value) <= _MOST_ROWS:
            return self._rows(path, name, shape, value)
        if shape.kind == "map" and is_object(value) and len(value) <= _MOST_ROWS:
            return self._map(path, name, shape, value)
        if shape.kind == "variants" and is_object(value):
            return self._variants(path, name, shape, value)
        return self._json(path, name, shape, value)

    def _json(self, path: Path, name: str, shape: Shape, value: object) -> Field:
        text = "" if value is _MISSING else write(value)
        if len(text) > 20_000:
            return Field(pointer_of(path), name, "large", shape.name, value=f"{len(text):,}")
        return Field(pointer_of(path), name, "json", shape.name, "json", text)

    def _absent(self, path: Path, name: str, shape: Shape, value: object) -> Field:
        """Return a group that the document does not have, with what it would begin with."""
        schema = {key: each for key, each in shape.schema.items() if key != "default"}
        blank = self._schemas.example(schema, is_whole=False, behind=shape.behind)
        begin = ("[]" if shape.kind == "array" else "{}") if blank is None else compact(blank)
        text = "null" if value is None else ""
        return Field(pointer_of(path), name, "absent", shape.name, "json", text, blank=begin)

    def _object(self, path: Path, name: str, shape: Shape, value: Mapping[str, object]) -> Field:
        members = shape.schema["properties"]
        required = shape.schema.get("required", [])
        fields = [
            self._field(
                (*path, each),
                each,
                self._schemas.shape(schema, shape.behind),
                value.get(each, _MISSING),
                is_required=is_array(required) and each in required,
            )
            for each, schema in list(members.items())[:_MOST_FIELDS]
        ]
        more = sum(key not in members for key in value)
        return Field(pointer_of(path), name, "object", shape.name, fields=fields, more=more)

    def _rows(self, path: Path, name: str, shape: Shape, value: list[object]) -> Field:
        item = self._schemas.shape(shape.schema["items"], shape.behind)
        fields = [
            self._field((*path, str(place)), str(place), item, each, is_required=True)
            for place, each in enumerate(value)
        ]
        blank = compact(self._schemas.example(item.schema, behind=item.behind))
        return Field(
            pointer_of(path), name, "rows", f"array of {item.name}{_span(shape.schema)}", fields=fields, blank=blank,
            columns=self._columns(item, fields),
        )  # fmt: skip

    def _columns(self, item: Shape, rows: Sequence[Field]) -> Sequence[str]:
        if item.kind != "object" or any(row.kind != "object" or row.more for row in rows):
            return ()
        members = item.schema["properties"]
        if not 1 <= len(members) <= _MOST_COLUMNS:
            return ()
        shapes = [self._schemas.shape(each, item.behind) for each in members.values()]
        return list(members) if all(each.is_simple and each.kind != "boolean" for each in shapes) else ()

    def _map(self, path: Path, name: str, shape: Shape, value: Mapping[str, object]) -> Field:
        item = self._schemas.shape(shape.schema["additionalProperties"], shape.behind)
        fields = [self._field((*path, key), key, item, each, is_required=True) for key, each in value.items()]
        blank = compact(self._schemas.example(item.schema, behind=item.behind))
        return Field(pointer_of(path), name, "map", f"map of {item.name}", fields=fields, blank=blank)

    def _variants(self, path: Path, name: str, shape: Shape, value: Mapping[str, object]) -> Field:
        tag = str(shape.schema["x-tag"])
        labels = [label for label, _ in shape.variants]
        chosen = labels.index(str(value.get(tag))) if str(value.get(tag)) in labels else None
        choices = [
            Choice(label, compact(self._variant(branch, tag, label, shape)), place == chosen)
            for place, (label, branch) in enumerate(shape.variants)
        ]
        fields: Sequence[Field] = ()
        if chosen is not None:
            branch = self._schemas.shape(shape.variants[chosen][1], shape.behind)
            inner = self._object(path, name, branch, value)
            fields = [each for each in inner.fields if each.name != tag]
        made = Field(pointer_of(path), name, "variants", shape.name, "json", fields=fields, choices=choices)
        made.faults = list(self._faults.pop((*path, tag), ()))
        return made

    def _variant(self, branch: Schema, tag: str, label: str, shape: Shape) -> object:
        blank = self._schemas.example(branch, behind=shape.behind)
        return {tag: label, **blank} if is_object(blank) else {tag: label}


def _simple(path: Path, name: str, shape: Shape, value: object) -> Field:
    made = Field(pointer_of(path), name, "text", _type(shape))
    if shape.kind == "enum":
        return _choice(made, shape, value)
    text = value if isinstance(value, str) else ("" if value in (_MISSING, None) else compact(value))
    if any("\ud800" <= sign <= "\udfff" for sign in text) or "\r" in text:
        made.kind, made.edit, made.value = "json", "json", compact(value)
        return made
    made.value = text
    if shape.kind == "boolean":
        made.kind, made.edit = "switch", "json"
    elif shape.kind in ("integer", "number"):
        made.kind, made.edit = "number", "number"
    elif shape.kind == "decimal":
        made.kind = "decimal"
        made.edit = "number" if isinstance(value, Digits) else "text"
    elif shape.is_secret or is_secret_name(name):
        made.kind = "secret"
    elif _is_long(shape, text):
        made.kind = "area"
    elif shape.schema.get("format") in ("date", "time"):
        made.kind = str(shape.schema["format"])
    elif shape.schema.get("format") == "date-time":
        made.kind = "instant"
    return made


def _choice(made: Field, shape: Shape, value: object) -> Field:
    chosen = "" if value is _MISSING else compact(value)
    texts = [compact(with_digits(each)) for each in shape.choices[:500]]
    made.choices = [
        Choice(str(each) if isinstance(each, str) else text, text, text == chosen)
        for each, text in zip(shape.choices, texts, strict=False)
    ]
    is_short = len(texts) <= 4 and sum(map(len, texts)) <= 50
    made.edit, made.value = "json", chosen
    made.kind = "segments" if is_short and (not chosen or chosen in texts) else "select"
    return made


def _type(shape: Shape) -> str:
    return f"{shape.name} or null" if shape.is_nullable and shape.kind != "enum" else shape.name


def _is_long(shape: Shape, text: str) -> bool:
    longest = shape.schema.get("maxLength", 0)
    return "\n" in text or len(text) > _LONG or (isinstance(longest, int) and longest > _LONG)


def _hint(shape: Shape) -> str:
    schema = shape.schema
    parts = [str(schema["description"]).strip()[:300]] if isinstance(schema.get("description"), str) else []
    if isinstance(schema.get("pattern"), str):
        parts.append(f"Matches {schema['pattern'][:100]}")
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if isinstance(schema.get(key), int | float)]
    if bounds:
        parts.append(", ".join(bounds).capitalize())
    return " · ".join(parts)


def _span(schema: Schema) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if isinstance(least, int) and isinstance(most, int):
        return f", {least} to {most}"
    return f", at least {least}" if isinstance(least, int) else f", at most {most}" if isinstance(most, int) else ""
