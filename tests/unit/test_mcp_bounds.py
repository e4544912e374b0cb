"""The size of a tool's result is bounded, whatever a run holds, and what was cut is named."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskflow import TaskflowError
from taskflow.mcp_server.bounds import MOST_CHARACTERS, page_of, part_of, pointer_of, result_text
from taskflow.texts import HIDDEN

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30)
)
documents = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=60)


def nested(levels: int, width: int, text: str) -> Any:
    """Return a tree of objects."""
    return text if not levels else {f"{text[:5]}{number}": nested(levels - 1, width, text) for number in range(width)}


HUGE: dict[str, object] = {
    "one text": "x" * 1_000_000,
    "one text of invisible characters": "\u202e" * 1_000_000,
    "many items": ["item"] * 100_000,
    "many members": {str(number): number for number in range(100_000)},
    "long names": {"k" * 100_000 + str(number): 1 for number in range(20)},
    "a wide tree": nested(4, 20, "some text of a leaf"),
    "a deep list": json.loads("[" * 400 + "]" * 400),
    "texts in lists in lists": [[["y" * 500] * 50] * 50] * 20,
}


@pytest.mark.parametrize("name", HUGE)
def test_whatever_is_huge_is_cut_and_named(name: str) -> None:
    """Of 40 fields at once."""
    fields = {f"field{number}": HUGE[name] for number in range(40)}
    text = result_text(fields)
    shown = json.loads(text)
    assert len(text) <= MOST_CHARACTERS
    assert fields.keys() <= shown.keys()
    assert shown["cut"][0]["at"].startswith("/field0")
    assert len(shown["cut"]) <= 20
    assert not HIDDEN.search(text)


@given(
    st.dictionaries(st.text(max_size=20).filter(lambda name: name not in ("cut", "more_cuts")), documents, max_size=6)
)
@settings(max_examples=60, deadline=None)
def test_a_small_document_is_told_as_it_is(document: dict[str, Any]) -> None:
    """The text is JSON of the same values, with no character that a reader does not see."""
    text = result_text(document)
    assert not HIDDEN.search(text)
    if "cut" not in json.loads(text):
        assert json.loads(text) == json.loads(json.dumps(document))


@pytest.mark.parametrize("items", [["a" * 99] * 2_000, list(range(5_000)), [["x" * 3_000] * 5] * 30])
def test_a_list_that_was_cut_is_read_part_by_part(items: list[object]) -> None:
    document = {"payload": {"a/b": {"~": items}}}
    place = pointer_of(("payload", "a/b", "~"))
    assert place == "/payload/a~1b/~0"
    read: list[object] = []
    offset: int | None = 0
    while offset is not None:
        part = part_of(document, place, offset)
        assert "cut" not in json.loads(result_text(part))
        read += part["value"]
        offset = part.get("next_offset")
    assert read == items


@pytest.mark.parametrize(
    "place", ["payloads", "/payloads", "/payload/1", "/payload/-1", "/payload/x", "/payload//", "//"]
)
def test_a_place_that_is_not_there_is_refused(place: str) -> None:
    with pytest.raises(TaskflowError, match="no such part"):
        part_of({"payload": ["only"]}, place, 0)


def test_pages_of_long_items_are_shorter() -> None:
    items = [{"text": "x" * 10_000, "number": number} for number in range(10)]
    page = page_of("items", items, 0, 50)
    assert (len(page["items"]), page["of"], page["next_offset"]) == (2, 10, 2)
    assert len(page_of("items", [{"text": "x" * 100_000}], 0, 50)["items"]) == 1
    assert page_of("items", items, 99, 50) == {"items": [], "of": 10}
