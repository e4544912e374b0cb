"""Payloads as the official client packs them."""

import json

import pytest

from taskflow.server.api.superjson import SUPER_JSON, PackedValueError, unpack, unpack_stored

pytestmark = pytest.mark.unit


def super_json(value: object, values: object) -> str:
    return json.dumps({"json": value, "meta": {"values": values}})


CASES: list[tuple[object, object, object]] = [
    ({"at": "2026-01-02", "gone": None}, {"at": ["Date"], "gone": ["undefined"]}, {"at": "2026-01-02"}),
    ({"a": {"b": None, "c": None}}, {"a.b": ["undefined"]}, {"a": {"c": None}}),
    ({"a.b": None, "a": {"b": 1}}, {"a.b": ["undefined"]}, {"a": {"b": 1}}),
    ({"a.b": None}, {"a\\.b": ["undefined"]}, {}),
    ([1, None, {"x": None}], {"1": ["undefined"], "2.x": ["undefined"]}, [1, None, {}]),
    ({"m": [["k", None]]}, {"m": ["map", {"0.1": ["undefined"]}]}, {"m": [["k", None]]}),
    ({"m": [["k", {"v": None}]]}, {"m": ["map", {"0.1.v": ["undefined"]}]}, {"m": [["k", {}]]}),
    ([[{"v": None}]], ["map", {"0.0.v": ["undefined"]}], [[{}]]),
    (None, ["undefined"], None),
    ("2026-01-02T03:04:05.678Z", ["Date"], "2026-01-02T03:04:05.678Z"),
    ({"big": "12345678901234567890"}, {"big": ["bigint"]}, {"big": "12345678901234567890"}),
    ({"here": 1}, {"here": ["undefined"], "9": ["undefined"]}, {"here": 1}),
    ([1], {"7": ["undefined"], "x": ["undefined"]}, [1]),
]


@pytest.mark.parametrize("value,values,expected", CASES)
def test_super_json_is_read_as_its_json_without_what_is_undefined(
    value: object, values: object, expected: object
) -> None:
    """Kinds are JavaScript's; only an undefined value changes the JSON."""
    assert unpack(super_json(value, values), SUPER_JSON) == expected


@pytest.mark.parametrize(
    "packed,packed_type,expected",
    [
        ('{"json":null}', SUPER_JSON, None),
        ('{"json":{"x":[1]},"meta":{"referentialEqualities":{"a":["b"]}}}', SUPER_JSON, {"x": [1]}),
        ("hi", "text/plain", "hi"),
        ('"hi"', "text/plain", '"hi"'),
        ('{"a":1}', "application/json", '{"a":1}'),
        (None, "application/json", None),
        ({"a": 1}, "application/json", {"a": 1}),
        ({"a": 1}, None, {"a": 1}),
        ('{"a":1}', None, '{"a":1}'),
    ],
)
def test_each_type_is_read_in_its_way(packed: object, packed_type: str | None, expected: object) -> None:
    """Text stays text; a caller without the SDK sends plain JSON."""
    assert unpack(packed, packed_type) == expected


@pytest.mark.parametrize(
    "packed,packed_type",
    [
        ("{", SUPER_JSON),
        ("[]", SUPER_JSON),
        ('{"a":1}', SUPER_JSON),
        ('{"json":NaN}', SUPER_JSON),
        ({"a": 1}, "text/plain"),
        ("x", "image/png"),
        (json.dumps({"json": {"a": None}, "meta": {"values": {"a." * 300: ["undefined"]}}}), SUPER_JSON),
        (json.dumps({"json": {}, "meta": {"values": {str(n): ["undefined"] for n in range(20_001)}}}), SUPER_JSON),
    ],
)
def test_what_is_not_of_its_type_is_refused(packed: object, packed_type: str) -> None:
    """The reason holds nothing of the value, because it may be logged."""
    with pytest.raises(PackedValueError):
        unpack(packed, packed_type)


@pytest.mark.parametrize("meta", [None, 1, [], {"values": 1}, {"values": []}, {"values": {"a": None}}])
def test_meta_that_is_none_changes_nothing(meta: object) -> None:
    """A value that can be read is not refused because of its meta."""
    assert unpack(json.dumps({"json": {"a": None}, "meta": meta}), SUPER_JSON) == {"a": None}


def test_an_uploaded_text_of_json_is_parsed() -> None:
    """An upload has bytes only, so that JSON is packed there, too."""
    assert unpack_stored('{"a":1}', "application/json") == {"a": 1}
    assert unpack_stored('{"json":1}', SUPER_JSON) == 1
    assert unpack_stored("{", "text/plain") == "{"
    with pytest.raises(PackedValueError):
        unpack_stored("{", "application/json")
