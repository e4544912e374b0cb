"""Results of a bounded size: what is too long is cut, and a note says where, and how much there is.

A payload may be megabytes, and all of a result goes into the context of a model.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from taskflow.errors import DefinitionError
from taskflow.texts import HIDDEN

MOST_CHARACTERS: Final = 40_000
"""Of the JSON of one result, about 10,000 tokens."""
_MOST_NOTES: Final = 20
_LONGEST_PLACE: Final = 300
_PAGE: Final = 30_000
"""Characters of the items of a page, so that a page is not cut afterwards."""


@dataclass(frozen=True, slots=True)
class _Measure:
    """The longest text, the most members of a container, and the deepest nesting."""

    characters: int
    members: int
    depth: int


_MEASURES: Final = (
    _Measure(20_000, 200, 20),
    _Measure(5_000, 100, 16),
    _Measure(1_500, 40, 12),
    _Measure(400, 15, 8),
    _Measure(100, 30, 3),  # a page of runs loses none
    _Measure(150, 5, 5),
    _Measure(40, 1, 1),
)
"""Tried one after the other until the result is small enough."""
_WHOLE: Final = _Measure(1 << 62, 1 << 62, 100)
"""Cuts nothing but what is nested very deeply."""


def result_text(document: Mapping[str, Any], most: int = MOST_CHARACTERS) -> str:
    """Return the JSON of a result of at most ``most`` characters, with a note ``cut`` if something is left out.

    The members of the document itself are never left out. Characters that show nothing, or turn the direction of text,
    are JSON's escapes, so that nothing is hidden from a reader that a model sees.
    """
    for measure in _MEASURES[:-1]:
        cutter = _Cutter(measure, most)
        with contextlib.suppress(_TooLong):
            text = cutter.text(document)
            if len(text) <= most:
                return text
    return _Cutter(_MEASURES[-1], None).text(document)


def page_of(name: str, items: Sequence[Mapping[str, Any]], offset: int, limit: int) -> dict[str, Any]:
    """Return a page of a list: as many items as are asked for and fit, at least one, and where the next page begins."""
    page: list[Mapping[str, Any]] = []
    size = 0
    for item in items[offset : offset + limit]:
        size += len(json.dumps(item, ensure_ascii=False, default=str))
        if page and size > _PAGE:
            break
        page.append(item)
    end = offset + len(page)
    return {name: page, "of": len(items)} | ({"next_offset": end} if end < len(items) else {})


def part_of(document: object, pointer: str, offset: int) -> dict[str, Any]:
    """Return a part of a document that was cut, by its JSON pointer, from a character or member on.

    Raises:
        DefinitionError: There is no such part.
    """
    value = _at(document, pointer)
    for measure in _MEASURES:
        found = _page(value, offset, measure)
        with contextlib.suppress(_TooLong):
            if len(_Cutter(_WHOLE, _PAGE).text(found)) <= _PAGE:
                return found
    raise DefinitionError("That part is too large", option="part", value=pointer, remedy="Ask for a part of it.")


def pointer_of(place: Sequence[str]) -> str:
    """Return the JSON pointer (RFC 6901) of a place."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in place)


def _page(value: object, offset: int, measure: _Measure) -> dict[str, Any]:
    if isinstance(value, str):
        total, shown = len(value), value[offset : offset + measure.characters]
        return _paged(shown, offset, len(shown), total)
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType] - any JSON
        page = items[offset : offset + measure.members]
        return _paged(page, offset, len(page), len(items))
    if isinstance(value, Mapping):
        members = list(cast("Mapping[str, Any]", value).items())
        chosen = members[offset : offset + measure.members]
        return _paged(dict(chosen), offset, len(chosen), len(members))
    return {"value": value}


def _paged(value: object, offset: int, shown: int, total: int) -> dict[str, Any]:
    end = offset + shown
    return {"value": value, "offset": offset, "of": total} | ({"next_offset": end} if end < total else {})


def _at(document: object, pointer: str) -> object:
    value = document
    for step in pointer.split("/")[1:] if pointer.startswith("/") else [pointer]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and name in value:
            value = cast("Mapping[str, object]", value)[name]
        elif (
            isinstance(value, list) and re.fullmatch(r"\d{1,9}", name) and int(name) < len(cast("list[object]", value))
        ):
            value = cast("list[object]", value)[int(name)]
        else:
            remedy = "Give a place as a note `at` of a cut result has it, for example /payload/items."
            raise DefinitionError("The run has no such part", option="part", value=pointer, remedy=remedy)
    return value


class _TooLong(Exception):  # noqa: N818 - the next measure is tried
    """A text becomes longer than it may be. What is left of a document of megabytes is not looked at."""


@dataclass(slots=True)
class _Cutter:
    """Cuts a document by a measure. ``left``: the characters that it may still use, None for no bound."""

    measure: _Measure
    left: int | None
    cuts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def text(self, document: Mapping[str, Any]) -> str:
        """Return the JSON of a document whose own members are all kept.

        Raises:
            _TooLong: It is longer than it may be.
        """
        shown = {name: self.value(value, (name,)) for name, value in document.items()}
        return _visible(json.dumps(shown | self.notes(), ensure_ascii=False, default=str))

    def value(self, value: object, place: tuple[str, ...]) -> object:
        """Return a value without what is too long, too many or too deep."""
        self._spend(2)
        if isinstance(value, str):
            return self._text(value, place)
        if isinstance(value, Mapping):
            members = cast("Mapping[object, object]", value)
            return self._too_deep(len(members), place) or dict(self._members(members, place))
        if isinstance(value, list | tuple):
            items = cast("Sequence[object]", value)
            return self._too_deep(len(items), place) or list(self._items(items, place))
        return value

    def _spend(self, characters: int) -> None:
        if self.left is not None:
            self.left -= characters
            if self.left < 0:
                raise _TooLong

    def notes(self) -> dict[str, Any]:
        """Return the notes about what was cut, none when nothing was."""
        if not self.cuts:
            return {}
        more = len(self.cuts) - _MOST_NOTES
        return {"cut": self.cuts[:_MOST_NOTES]} | ({"more_cuts": more} if more > 0 else {})

    def _text(self, text: str, place: tuple[str, ...]) -> str:
        most = self.measure.characters
        self._spend(min(len(text), most))
        if len(text) <= most:
            return text
        self._note(place, most, len(text), "characters")
        return text[:most] + " [cut]"

    def _too_deep(self, size: int, place: tuple[str, ...]) -> str:
        """Return the text in place of a container that is nested too deeply, "" for another one."""
        if not size or len(place) <= self.measure.depth:
            return ""
        self._note(place, 0, size, "members")
        return f"[cut: {size:,} members]"

    def _members(self, members: Mapping[object, object], place: tuple[str, ...]) -> Iterator[tuple[str, object]]:
        if len(members) > self.measure.members:
            self._note(place, self.measure.members, len(members), "members")
        for (key, each), _ in zip(members.items(), range(self.measure.members), strict=False):
            name = str(key)
            yield self._text(name, place), self.value(each, (*place, name))

    def _items(self, items: Sequence[object], place: tuple[str, ...]) -> Iterator[object]:
        if len(items) > self.measure.members:
            self._note(place, self.measure.members, len(items), "items")
        for index, each in enumerate(items[: self.measure.members]):
            yield self.value(each, (*place, str(index)))

    def _note(self, place: tuple[str, ...], shown: int, total: int, what: str) -> None:
        at = pointer_of(place)
        shown_at = at if len(at) <= _LONGEST_PLACE else f"{at[:_LONGEST_PLACE]}..."
        self.cuts.append({"at": shown_at, "shown": shown, "of": total, "what": what})


def _visible(text: str) -> str:
    r"""Return a JSON text whose invisible characters are escapes: ``\u202e``."""
    return HIDDEN.sub(lambda found: json.dumps(found.group())[1:-1], text)
