"""Hidden values of a payload that a person edits: marks stand in their places, and become the values again unseen.

A mark names the place of its value in the run or template that the test began with: ``[redacted:/card/number]``. It may
stand only where a value is hidden, because the value would be shown elsewhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from taskflow.definition.documents.exact_json import is_array, is_object
from taskflow.definition.documents.hiding import Hiding
from taskflow.definition.documents.secret_texts import NO_SECRETS, Secrets
from taskflow.server.dashboard.payloads.checks import Fault
from taskflow.server.dashboard.payloads.documents import DocumentError, parse, pointer_of, write

_BEGINNING: Final = "[redacted:"
_MARK: Final = re.compile(r"\[redacted:(.*)\]", re.DOTALL)
UNKNOWN: Final = "The hidden value is not in the run or template that the test began with. Write one."
_MOVED: Final = "A hidden value can stand only where it is hidden. Write another."


@dataclass(frozen=True, slots=True)
class Restored:
    """A text with the values of its marks. ``secrets`` are these values."""

    text: str
    faults: tuple[Fault, ...] = ()
    secrets: Secrets = NO_SECRETS


def covered(hiding: Hiding, document: object) -> object:
    """Return a document with marks in place of its hidden values."""
    return hiding.replaced(document, lambda _, place: f"{_BEGINNING}{pointer_of(place)}]") if hiding else document


def covered_text(hiding: Hiding, text: str) -> str:
    """Return the text of a document with marks in place of its hidden values. What is no JSON is hidden as a whole."""
    if not hiding or not text.strip():
        return text
    try:
        document = parse(text)
        shown = covered(hiding, document)
    except (DocumentError, RecursionError):
        return f'"{_BEGINNING}]"'
    return text if shown == document else write(shown)


def restored(hiding: Hiding, text: str, original: object) -> Restored:
    """Return a text with the values of its marks, which are those of the original document."""
    if not hiding or _BEGINNING not in text:
        return Restored(text)
    try:
        document = parse(text)
    except DocumentError:
        return Restored(text)
    hidden: dict[str, object] = {}
    hiding.replaced(original, lambda value, place: hidden.setdefault(pointer_of(place), value))
    faults: list[Fault] = []

    def put_back(value: object, place: tuple[str, ...]) -> object:
        mark = _MARK.fullmatch(value) if isinstance(value, str) else None
        if mark is None:
            return value
        if mark[1] not in hidden:
            faults.append(Fault(place, UNKNOWN))
        return hidden.get(mark[1])

    faults += [Fault(place, _MOVED) for place in _marks(hiding.value(document), ())]
    whole = write(hiding.replaced(document, put_back))
    return Restored(whole, tuple(faults), Secrets.of(list(hidden.values())))


def has_mark(text: str) -> bool:
    """Whether a text has a mark that no value has replaced."""
    return _BEGINNING in text


def _marks(document: object, place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the places of the marks in a document."""
    if is_object(document):
        for name, value in document.items():
            yield from _marks(value, (*place, name))
    elif is_array(document):
        for index, value in enumerate(document):
            yield from _marks(value, (*place, str(index)))
    elif isinstance(document, str) and _MARK.fullmatch(document):
        yield place
