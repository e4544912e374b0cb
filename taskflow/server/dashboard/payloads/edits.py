"""Edits of a document by the fields of its form, and the tests of what a browser may send."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final, cast

from taskflow.definition.documents.exact_json import Digits, is_array, is_object
from taskflow.server.dashboard.payloads.documents import DocumentError, drop, parse, put, steps_of

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_MOST: Final = 2000
_DEEPEST: Final = 100


class EditError(ValueError):
    """An edit can't be made. ``path`` is its place in the document."""

    def __init__(self, path: Sequence[str], why: str) -> None:
        self.path = tuple(path)
        super().__init__(why)


def edited(document: object, text: str) -> object:
    """Return a document with the edits that a page sends: a JSON list of ``{"at", "as", "value"}``.

    ``as`` is ``text``, ``number``, ``json``, ``null`` or ``drop``. A number that is none is kept as text, so that the
    check names it.

    Raises:
        EditError: One of them can't be made.
    """
    for edit in _listed(text):
        kind, value = str(edit.get("as")), str(edit.get("value", ""))
        path = steps_of(str(edit.get("at", "")))
        if len(path) > _DEEPEST:
            raise EditError(path[:1], "The place is too deep for the form.")
        try:
            document = drop(document, path) if kind == "drop" else put(document, path, _value(kind, value))
        except DocumentError as error:
            raise EditError(path, str(error)) from None
    return document


def _listed(text: str) -> Sequence[dict[str, Any]]:
    try:
        edits: object = json.loads(text or "[]")
    except (ValueError, RecursionError):
        edits = None
    if not is_array(edits) or len(edits) > _MOST or not all(is_object(each) for each in edits):
        raise EditError((), "The edits of the form can't be read.")
    return cast("list[dict[str, Any]]", edits)


def _value(kind: str, text: str) -> object:
    if kind == "null":
        return None
    if kind == "json":
        return parse(text)
    if kind == "number" and _NUMBER.fullmatch(text.strip()):
        return Digits(text.strip())
    return text
