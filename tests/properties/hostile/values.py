"""Values that no sane program gives, as recipes: JSON that a payload carries to the place where they are made."""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final, NoReturn, TypeAlias

from hypothesis import strategies as st
from pydantic import BaseModel

Recipe: TypeAlias = dict[str, Any]
Strategy: TypeAlias = st.SearchStrategy[Recipe]


def _refuse(*_: object, **__: object) -> NoReturn:
    raise LookupError("the value's own code fails")


def _kind(*names: str, base: type = object) -> Callable[[], object]:
    """Return the maker of values whose methods of these names fail."""
    body: dict[str, Any] = dict.fromkeys(names, _refuse)
    for name in {"__class__", "__traceback__", "__cause__", "__notes__", "args"} & body.keys():
        body[name] = property(_refuse)
    return type("Odd", (base,), body)


class Row(BaseModel):
    """A row of an ORM that is detached: it has JSON, and can't be shown."""

    number: int = 1

    def __repr__(self) -> str:
        raise RuntimeError("detached")

    __str__ = __repr__


class Liar(int):
    """An integer that denies what it is."""

    __eq__ = _refuse
    __hash__ = None  # type: ignore[assignment]  # on purpose
    __repr__ = _refuse


class Unpicklable(str):
    """A text that can't be copied."""

    __slots__ = ()
    __reduce__ = __reduce_ex__ = _refuse


class Zone(tzinfo):
    """A time zone whose code fails."""

    utcoffset = dst = tzname = _refuse


def _endless() -> object:
    value: list[object] = []
    value.append(value)
    return value


def _nested(depth: int) -> object:
    value: object = "in"
    for _ in range(depth):
        value = [value]
    return value


MAKERS: Final[Mapping[str, Callable[[], object]]] = {
    "repr": _kind("__repr__"),
    "str": _kind("__str__"),
    "eq": _kind("__eq__", "__hash__"),
    "class": _kind("__class__"),
    "reduce": _kind("__reduce__", "__reduce_ex__"),
    "getattr": _kind("__getattr__"),
    "bool": _kind("__bool__", "__len__", "__iter__"),
    "all": _kind("__repr__", "__str__", "__eq__", "__hash__", "__class__", "__reduce__", "__bool__", "__iter__"),
    "row": Row,
    "liar": lambda: Liar(7),
    "unpicklable": lambda: Unpicklable("text"),
    "endless": _endless,
    "bytes": lambda: b"\xff\xfe",
    "decimal": lambda: Decimal("1e999999"),
    "complex": lambda: 1 + 2j,
    "type": lambda: Row,
    "module": lambda: sys,
    "set": lambda: {1, "a"},
    "generator": lambda: (each for each in "ab"),
    "tuple keys": lambda: {(1, 2): 3},
}
ERRORS: Final[Mapping[str, Callable[[], object]]] = {
    name.strip("_"): _kind(name, base=Exception)
    for name in (
        *("__repr__", "__str__", "__eq__", "__hash__", "__class__", "__reduce__", "__bool__", "__getattribute__"),
        *("__traceback__", "__cause__", "__notes__", "args", "__setattr__", "__reduce_ex__", "with_traceback"),
    )
}
"""Errors whose own code fails."""
INSTANTS: Final[Mapping[str, Callable[[], datetime]]] = {
    "naive": lambda: datetime(2040, 1, 1),
    "last": lambda: datetime.max.replace(tzinfo=UTC),
    "last elsewhere": lambda: datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
    "first": lambda: datetime.min.replace(tzinfo=UTC),
    "first elsewhere": lambda: datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    "zone": lambda: datetime(2040, 1, 1, tzinfo=Zone()),
    "far": lambda: datetime.now(UTC) + timedelta(days=36_600),
    "past": lambda: datetime(1969, 12, 31, tzinfo=UTC),
    "odd zone": lambda: datetime.now(timezone(timedelta(hours=5, minutes=45, microseconds=1))),
}
DURATIONS: Final[Mapping[str, Callable[[], object]]] = {
    "max": lambda: timedelta.max,
    "min": lambda: timedelta.min,
    "resolution": lambda: timedelta.resolution,
    "text": lambda: "9" * 60 + "w",
}


def build(recipe: Recipe) -> Any:
    """Return the value of a recipe."""
    ((kind, given),) = recipe.items()
    match kind:
        case "text":
            return "".join(map(chr, given))
        case "integer":
            sign, digits = given
            return sign * (10**digits - 7)
        case "float":
            return float(given)
        case "list":
            return [build(each) for each in given]
        case "dict":
            return {build(name): build(value) for name, value in given}
        case "nested":
            return _nested(given)
        case "made":
            return MAKERS[given]()
        case "error":
            return ERRORS[given]()
        case "instant":
            return INSTANTS[given]()
        case "duration":
            return DURATIONS[given]()
        case _:
            return given


def _text_recipe(text: str) -> Recipe:
    return {"text": [ord(character) for character in text]}


SPECIALS: Final = (
    "", " ", "\0", "a\0b", "\ud800", "a\udc80b", "\ud83d", "\ufffd", "\ufeff", "two\nlines", "\r\n", "\ttab", "\u2028",
    "a b", 'say "hi"', "it's", "back\\slash", "\\ud800", "%s %(a)s {} {0}", "[/b]", "[red]a[i]", "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07", "\x7f\x80\x9b", "{tag}:a|b/c", "../../etc/passwd", "$.a.b", "a:b", "-", "--json", "null", "NaN",
    "run_00", "\u202eabc", "e\u0301", "\U0010ffff", "☃", "x" * 129, "x" * 600, "x" * 3000, "\N{SNOWMAN}" * 200,
    "task/x", "'; DROP TABLE taskflow_runs; --", "*", "KEYS", "\\", "$(id)", "\u0000\ud800",
)  # fmt: skip
texts: Strategy = st.one_of(
    st.sampled_from(SPECIALS), st.text(st.characters(), max_size=30), st.text(st.characters(categories=("Cs", "Cc")))
).map(_text_recipe)
numbers: Strategy = st.one_of(
    st.tuples(st.sampled_from((1, -1)), st.sampled_from((1, 19, 20, 309, 4299, 4300, 4301, 5000))).map(
        lambda given: {"integer": list(given)}
    ),
    st.sampled_from(("nan", "inf", "-inf", "1e308", "-0.0", "5e-324")).map(lambda text: {"float": text}),
)
instants: Strategy = st.sampled_from(list(INSTANTS)).map(lambda name: {"instant": name})
durations: Strategy = st.one_of(st.sampled_from(list(DURATIONS)).map(lambda name: {"duration": name}), numbers, texts)
leaves: Strategy = st.one_of(
    texts,
    numbers,
    instants,
    st.sampled_from(list(MAKERS)).map(lambda name: {"made": name}),
    st.sampled_from((1, 20, 199, 200, 201, 260, 2000)).map(lambda depth: {"nested": depth}),
    st.sampled_from((None, True, 0)).map(lambda value: {"value": value}),
)
errors: Strategy = st.sampled_from(list(ERRORS)).map(lambda name: {"error": name})
values: Strategy = st.one_of(
    leaves,
    st.lists(leaves, max_size=3).map(lambda items: {"list": items}),
    st.lists(st.tuples(texts, leaves).map(list), max_size=3).map(lambda members: {"dict": members}),
)
