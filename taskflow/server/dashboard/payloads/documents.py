"""A JSON document that a person edits. Numbers stay digit by digit as they were written."""

import json
from collections.abc import Iterable, Sequence
from typing import Final, NoReturn

from taskflow.definition.documents.exact_json import Digits, is_array, is_object, quoted

_INDENT: Final = "  "
_DEEPEST: Final = 200


class DocumentError(ValueError):
    """A text is not JSON. ``line`` and ``column`` count from 1."""

    def __init__(self, why: str, line: int = 1, column: int = 1) -> None:
        self.line, self.column = line, column
        super().__init__(why)


def parse(text: str) -> object:
    """Return the value of a text.

    Raises:
        DocumentError: It is not JSON, or more than 200 levels deep.
    """
    try:
        value: object = json.loads(text, parse_int=Digits, parse_float=Digits, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise DocumentError(f"{error.msg}.", error.lineno, error.colno) from None
    except RecursionError:
        raise DocumentError(f"It is more than {_DEEPEST} levels deep.") from None
    except ValueError as error:
        raise DocumentError(str(error)) from None
    if _is_deeper(value, _DEEPEST):
        raise DocumentError(f"It is more than {_DEEPEST} levels deep.")
    return value


def write(value: object, indent: str = "") -> str:
    """Return a document with one member or item a line."""
    inner = indent + _INDENT
    if isinstance(value, Digits):
        return str(value)
    if is_object(value) and value:
        members = value.items()
        lines = [f"{inner}{quoted(key)}: {write(each, inner)}" for key, each in members]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if is_array(value) and value:
        lines = [f"{inner}{write(each, inner)}" for each in value]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    return quoted(value)


def put(document: object, path: Sequence[str], value: object) -> object:
    """Return the document with a value at a path; ``-`` is the place behind the last item. Missing objects are made.

    Raises:
        DocumentError: The path leads through a scalar, or to an item that there is not.
    """
    if not path:
        return value
    step, rest = path[0], path[1:]
    if is_array(document):
        items = list(document)
        place = len(items) if step == "-" else _index(step, len(items))
        items[place : place + 1] = [put(items[place] if place < len(items) else None, rest, value)]
        return items
    if document is not None and not is_object(document):
        raise DocumentError("There is another value now.")
    members = dict(document or {})
    members[step] = put(members.get(step), rest, value)
    return members


def drop(document: object, path: Sequence[str]) -> object:
    """Return the document without the member or item at a path; as it is if there is none."""
    if not path:
        return None
    step, rest = path[0], path[1:]
    if is_array(document):
        items = list(document)
        place = _index(step, len(items))
        if place < len(items):
            items[place : place + 1] = [drop(items[place], rest)] if rest else []
        return items
    if not is_object(document) or step not in document:
        return document
    members = dict(document)
    if rest:
        members[step] = drop(members[step], rest)
    else:
        del members[step]
    return members


def steps_of(pointer: str) -> tuple[str, ...]:
    """Return the steps of a JSON pointer (RFC 6901)."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def pointer_of(path: Sequence[str]) -> str:
    """Return the JSON pointer of a path (RFC 6901)."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)


def _index(step: str, most: int) -> int:
    if step.isascii() and step.isdigit() and len(step) < 10 and int(step) <= most:
        return int(step)
    raise DocumentError("There is no such item now.")


def _no_constant(name: str) -> NoReturn:
    raise DocumentError(f"{name} is no JSON.")


def _is_deeper(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [inner for each in level for inner in _inner(each)]
        if not level:
            return False
    return True


def _inner(value: object) -> Iterable[object]:
    return value.values() if is_object(value) else value if is_array(value) else ()
