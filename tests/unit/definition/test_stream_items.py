"""The names and types of streams. No I/O."""

from datetime import date

import pytest
from pydantic import BaseModel, SecretStr, TypeAdapter

from taskflow.definition.documents.stream_items import LARGEST_ITEM, StreamItems
from taskflow.errors import DefinitionError, StreamError


class Point(BaseModel):
    day: date
    value: float = 0


@pytest.mark.parametrize("name", ["", "a b", "a:b", "ü", "x" * 129, None, 1])
def test_a_name_that_is_not_possible_is_refused_at_import(name: object) -> None:
    """It is a part of the store's keys."""
    with pytest.raises(DefinitionError, match="1 to 128 letters"):
        StreamItems(name, str)  # type: ignore[arg-type]  # callers without types


def test_items_are_written_and_read_by_their_type() -> None:
    """Data that validates as an item is one."""
    items = StreamItems("points", Point)
    point = Point(day=date(2030, 1, 2))
    assert items.load(items.dump(point)) == point == items.load(items.dump({"day": "2030-01-02"}))
    either = StreamItems("either", TypeAdapter(int | list[str]))
    assert [either.load(either.dump(each)) for each in (1, ["a"])] == [1, ["a"]]
    anything = StreamItems("anything", None)
    assert anything.load(anything.dump({"a": [1, None, "é"]})) == {"a": [1, None, "é"]}


def test_what_does_not_fit_is_refused_without_showing_it() -> None:
    """The value stays out of logs."""
    for wrong in ({"day": "secret"}, {"day": "2030-01-02", "value": float("nan")}):
        with pytest.raises(StreamError, match="'points' has a type that an item does not fit") as refused:
            StreamItems("points", Point).dump(wrong)
        assert "secret" not in str(refused.value)
    with pytest.raises(StreamError, match="does not fit"):
        StreamItems("points", Point).load(b'{"day": 1.5}')
    with pytest.raises(StreamError, match="1,000,000 bytes"):
        StreamItems("tokens", str).dump("x" * LARGEST_ITEM)
    with pytest.raises(DefinitionError, match="asterisks"):
        StreamItems("secrets", SecretStr).dump("x")


def test_a_lone_surrogate_in_an_item_is_stored_so_that_it_is_seen() -> None:
    """A model's answer may be cut within a character; the items behind it count."""
    assert StreamItems("answer", str).dump("a\ud800") == b'"a\\\\ud800"'
    assert StreamItems("answer", None).dump({"text": "a\ud800"}) == b'{"text":"a\\\\ud800"}'
