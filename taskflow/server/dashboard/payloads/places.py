"""Lines and columns of the values of a JSON text, so that a fault at a path can be shown where it was written."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from taskflow.definition.documents.exact_json import is_array, is_object

Path: TypeAlias = Sequence[str | int]
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)

_LARGEST: Final = 1_000_000


def path_in(document: object, loc: Path) -> tuple[str, ...]:
    """Return the path in a document of a location that pydantic names.

    Pydantic also names branches of unions and validators in it, which the document does not have: they are left out.
    The last step may be missing in the document, because that may be the fault.
    """
    path: list[str] = []
    value: object = document
    for place, step in enumerate(loc):
        is_there, inner = _inner(value, step)
        is_missing = place == len(loc) - 1 and is_object(value) and isinstance(step, str) and step != "[key]"
        if is_there or is_missing:
            path.append(str(step))
        if is_there:
            value = inner
    return tuple(path)


def _inner(value: object, step: str | int) -> tuple[bool, object]:
    if isinstance(step, str):
        return (True, value[step]) if is_object(value) and step in value else (False, None)
    return (True, value[step]) if is_array(value) and 0 <= step < len(value) else (False, None)


def lines_of(text: str, paths: Collection[tuple[str, ...]]) -> Mapping[tuple[str, ...], tuple[int, int]]:
    """Return the line and column, from 1, of the values at some paths in a text that is JSON.

    Nothing is returned for a path that is not in the text, and for a text of more than a million characters.
    """
    wanted = set(paths)
    if not wanted or len(text) > _LARGEST:
        return {}
    starts = {path: start for path, start in _starts(text, {len(path) for path in wanted}) if path in wanted}
    return {path: (text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1) for path, at in starts.items()}


def _starts(text: str, depths: Collection[int]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the paths of some depths with the places of their values."""
    path: list[str | int] = []
    expects_key = False
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign == ":":
            expects_key = False
        elif sign == ",":
            if path and isinstance(path[-1], int):
                path[-1] += 1
            else:
                expects_key = True
        elif sign in "}]":
            path.pop()
            expects_key = False
        elif expects_key:
            path[-1] = _text_of(sign)
        else:
            if len(path) in depths:
                yield tuple(map(str, path)), token.start()
            if sign in "{[":
                path.append("" if sign == "{" else 0)
                expects_key = sign == "{"


def _text_of(quoted: str) -> str:
    return str(json.loads(quoted)) if "\\" in quoted else quoted[1:-1]
