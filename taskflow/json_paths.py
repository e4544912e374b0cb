"""Paths in a JSON document: the part of JSONPath (RFC 9535) that names members and items.

``$`` is the document, ``.name`` and ``["name"]`` a member, ``[0]`` an item, ``.*`` and ``[*]`` every member or item,
and ``..`` before a step is any depth: ``$.card.number``, ``$..password``, ``$.items[*].token``. Filters, slices, unions
and negative indexes are not part of it.
"""

import re
from dataclasses import dataclass
from typing import Final

_STEP: Final = re.compile(
    r"""(?P<deep>\.\.)?(?:
        (?<!\.)\.(?P<name>[^\s.\[\]'",*$]+) | (?<=\.\.)(?P<deep_name>[^\s.\[\]'",*$]+)
        | (?<!\.)\.(?P<any>\*) | (?<=\.\.)(?P<deep_any>\*)
        | \[(?:(?P<index>0|[1-9][0-9]{0,8}) | (?P<every>\*)
            | "(?P<double>(?:[^"\\]|\\.)+)" | '(?P<single>(?:[^'\\]|\\.)+)')\]
    )""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_NEXT: Final = re.compile(r",\s*(?=\$)")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: to the member of a name, to the item of an index, or, without either, to all of them.

    Attributes:
        is_deep: Whether it is taken at any depth.
    """

    name: str | None = None
    index: int | None = None
    is_deep: bool = False

    def leads_to(self, key: str | int) -> bool:
        """Whether it leads to the member or item with this key."""
        if self.name is not None:
            return self.name == key
        return self.index is None or (isinstance(key, int) and self.index == key)


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path, whose empty list of steps names the whole document."""

    text: str
    steps: tuple[Step, ...]


def split_paths(text: str) -> tuple[str, ...]:
    """Return the paths of a list with commas. A comma in a quoted name separates nothing."""
    return tuple(part.strip() for part in _NEXT.split(text) if part.strip())


def parse_path(text: str) -> JsonPath:
    """Return the path that a text is.

    Raises:
        ValueError: It is none. The message says from where on it can't be read.
    """
    if not text.startswith("$"):
        raise ValueError(f"{text!r} is no path: it begins with $, for example $.card.number")
    steps: list[Step] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            rest = text[at : at + 20]
            raise ValueError(
                f"{text!r} is no path: {rest!r} can't be read; write $.card.number, $..password, $.items[*].token "
                'or $["a name"]'
            )
        steps.append(_step(found))
        at = found.end()
    return JsonPath(text, tuple(steps))


def _step(found: re.Match[str]) -> Step:
    is_deep = found["deep"] is not None
    if found["index"] is not None:
        return Step(index=int(found["index"]), is_deep=is_deep)
    if found["double"] is not None or found["single"] is not None:
        return Step(name=_ESCAPE.sub(r"\1", found["double"] or found["single"]), is_deep=is_deep)
    return Step(name=found["name"] or found["deep_name"], is_deep=is_deep)
