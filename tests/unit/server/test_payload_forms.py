"""Forms of schemas that may be anything, and of documents that do not fit them."""

import json
import time
from typing import Any

import pytest

from taskflow.definition.documents.exact_json import compact
from taskflow.server.dashboard.payloads.checks import Target, faults_of
from taskflow.server.dashboard.payloads.documents import DocumentError, drop, parse, put, steps_of, write
from taskflow.server.dashboard.payloads.fields import Field, Form
from taskflow.server.dashboard.payloads.places import lines_of, path_in
from taskflow.server.dashboard.payloads.schemas import Schemas

pytestmark = pytest.mark.unit

TREE: dict[str, Any] = {
    "$ref": "#/$defs/T",
    "$defs": {"T": {"type": "object", "properties": {"t": {"$ref": "#/$defs/T"}}, "required": ["t"]}},
}
LEVELS: dict[str, Any] = {
    "$ref": "#/$defs/l0",
    "$defs": {
        f"l{n}": {
            "type": "object",
            "properties": {f"p{k}": {"$ref": f"#/$defs/l{n + 1}"} for k in range(40)},
            "required": [f"p{k}" for k in range(40)],
        }
        for n in range(9)
    },
}


def form(schema: object, document: object) -> Field:
    return Form(schema, parse(json.dumps(document)), {}).root


ODD: list[object] = [
    *(
        True,
        False,
        None,
        [],
        "x",
        {},
        {"type": 5},
        {"type": []},
        {"type": ["null"]},
        {"enum": []},
        {"enum": [{"a": 1}]},
    ),
    *({"$ref": "#"}, {"$ref": "#/nowhere"}, {"$ref": "http://127.0.0.1:1/x"}, {"allOf": [{"$ref": "#"}]}, TREE, LEVELS),
    {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
    *({"anyOf": []}, {"anyOf": [5, {"type": "null"}]}, {"oneOf": [{"type": "object"}] * 60}),
    {"type": "object", "properties": {"": {}, "a/b~c": {"type": "string"}, "<b>": {"const": None}}, "required": 5},
    {"type": "object", "properties": {str(n): {"type": "string"} for n in range(5000)}},
    *({"type": "array"}, {"type": "array", "items": True}),
    {"type": "array", "items": {"type": "string"}, "minItems": 10**12},
    {"type": "string", "minLength": "x", "maxLength": "x", "pattern": 5, "description": 5},
    {"type": "object", "additionalProperties": {"$ref": "#"}},
    {"type": "object", "properties": [], "required": {}},
    {"discriminator": {"propertyName": "k"}, "oneOf": [TREE, TREE]},
    {"discriminator": {"propertyName": "k"}, "oneOf": [{"type": "object", "properties": {"k": {"const": "a"}}}]},
]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_no_schema_is_too_odd_for_a_form(number: int) -> None:
    """Each schema of a worker has a form that ends. A form shows as JSON what it has no field for."""
    schema = ODD[number]
    began = time.process_time()
    example = Schemas(schema).example(schema, is_whole=True)
    first: object = json.loads(compact(example))
    others: list[object] = [None, 5, [], {"a": [1]}, {"t": {"t": {"t": {}}}}, {"k": "a"}, ["x"] * 150]
    for document in (first, *others):
        form(schema, document)
    assert time.process_time() - began < 20


def test_kinds_of_values_have_fields_of_their_own() -> None:
    """Text, number, decimal, switch, choice, date, secret, list, map, variants, and JSON for the rest."""
    kinds: dict[str, Any] = {
        "text": {"type": "string"},
        "area": {"type": "string", "maxLength": 500},
        "secret": {"type": "string", "format": "password"},
        "number": {"type": "integer"},
        "decimal": {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "x"}]},
        "switch": {"type": "boolean"},
        "segments": {"enum": ["a", "b"]},
        "select": {"enum": list(range(9))},
        "date": {"type": "string", "format": "date"},
        "time": {"type": "string", "format": "time"},
        "instant": {"type": "string", "format": "date-time"},
        "json": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "rows": {"type": "array", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "object": {"type": "object", "properties": {}},
        "variants": {
            "oneOf": [{"type": "object", "properties": {"k": {"const": each}}, "title": each} for each in ("x", "y")]
        },
    }
    schema: dict[str, Any] = {"type": "object", "properties": kinds}
    document: dict[str, Any] = {"rows": [], "map": {}, "object": {}, "variants": {"k": "y"}}
    root = form(schema, document)
    assert {each.name: each.kind for each in root.fields} == {name: name for name in kinds}
    assert [(each.label, each.is_chosen) for each in root.fields[-1].choices] == [("x", False), ("y", True)]


def test_a_value_that_does_not_fit_is_shown_as_json() -> None:
    """It can be mended in its place."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {}}, "b": {"type": "integer"}},
    }
    fields = form(schema, {"a": {"x": 1}, "b": "five", "c": 1})
    assert [(each.kind, each.value) for each in fields.fields] == [("json", '{\n  "x": 1\n}'), ("number", "five")]
    assert fields.more == 1


def test_recursion_ends_in_json() -> None:
    """A form of all levels would have no end."""
    inner = form(TREE, {"t": {"t": {"t": {}}}}).fields[0]
    assert (inner.name, inner.kind) == ("t", "json")


def test_a_document_keeps_its_digits_and_its_order() -> None:
    """JavaScript's numbers would round them."""
    text = '{"b": 1.10, "a": [10000000000000000000001, -0.0, 1E400]}'
    assert compact(parse(text)) == text
    assert compact(parse(write(parse(text)))) == text


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "[Infinity]", "[" * 5000 + "]" * 5000, "1 2", '"\x00"', "9" * 5000 + "x"]
)
def test_what_is_not_json_is_refused(text: str) -> None:
    """With line and column."""
    with pytest.raises(DocumentError) as refused:
        parse(text)
    assert refused.value.line >= 1


def test_places_are_put_and_dropped() -> None:
    """Pointers as RFC 6901 has them."""
    document = parse('{"a": [1, {"b": 2}], "c/d": 3}')
    assert compact(put(document, steps_of("/a/1/b"), None)) == '{"a": [1, {"b": null}], "c/d": 3}'
    assert compact(put(document, steps_of("/x/y"), "z")) == '{"a": [1, {"b": 2}], "c/d": 3, "x": {"y": "z"}}'
    assert compact(drop(drop(document, steps_of("/a/0")), steps_of("/c~1d"))) == '{"a": [{"b": 2}]}'
    assert compact(document) == '{"a": [1, {"b": 2}], "c/d": 3}'


def test_a_location_of_pydantic_becomes_a_line() -> None:
    """It also names the branches of unions, which the document does not have."""
    text = '{\n "pets": [\n  {"kind": "cat",\n   "lives": "x", "k\\u0065y": 1}]}'
    path = path_in(json.loads(text), ("pets", 0, "Cat", "lives"))
    assert path == ("pets", "0", "lives")
    assert lines_of(text, [path, ("pets", "0", "key")]) == {path: (4, 13), ("pets", "0", "key"): (4, 30)}
    assert path_in(json.loads(text), ("pets", 0, "Cat", "name")) == ("pets", "0", "name")


async def test_a_payload_is_checked_against_the_schema_of_a_worker() -> None:
    """The server does not declare the task. Values are not repeated: one may be a secret."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer", "minimum": 5}, "b": {"type": "string", "pattern": "^x"}},
        "required": ["a", "c"],
    }
    faults = await faults_of(Target("t", None, schema, True), '{"a": 1,\n "b": "s3cret"}')
    assert {(each.path, each.message, each.line) for each in faults} == {
        (("a",), "Input should be at least 5", 1),
        (("b",), "Input should match ^x", 2),
        (("c",), "Field required", 1),
    }


@pytest.mark.parametrize("schema", [{"$ref": "http://127.0.0.1:1/x"}, {"type": 5}, {"pattern": "("}, {"$ref": "#"}])
async def test_a_schema_that_can_not_be_used_refuses_nothing(schema: dict[str, Any]) -> None:
    """Nothing is fetched, and the worker checks the payload."""
    assert await faults_of(Target("t", None, schema, True), '"x"') == []
