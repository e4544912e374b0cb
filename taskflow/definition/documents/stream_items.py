"""The name of a stream and the type of its items. Validation and JSON; no storage."""

import re
from typing import Any, Final, cast

from pydantic import TypeAdapter, ValidationError

from taskflow.definition.documents.adapter import Adapter, UnwritableError, explain
from taskflow.definition.documents.annotation import Annotation
from taskflow.errors import DefinitionError, StreamError
from taskflow.errors.base import shown

LARGEST_ITEM: Final = 1_000_000
"""Most bytes of one item's JSON."""
LAST_INDEX: Final = 10**15
"""More items than any stream will have, and a number that every language counts exactly."""
_NAME: Final = re.compile(r"[A-Za-z0-9_./-]{1,128}")


class StreamItems:
    """The items of a stream. Their type is resolved at first use; None is any JSON.

    Raises:
        DefinitionError: The name is not possible.
    """

    __slots__ = ("_adapter", "_type", "name")

    def __init__(self, name: str, type: object) -> None:
        if not _is_name(name):
            remedy = "Use 1 to 128 letters, digits and _ . / -."
            raise DefinitionError("That is not a stream's name", option="name", value=name, remedy=remedy)
        self.name = name
        self._type = type
        self._adapter: Adapter | None = None

    def dump(self, item: object) -> bytes:
        """Return the JSON of an item: an instance of the type, or data that validates as one.

        A lone surrogate in a text is stored escaped, because a reader needs the other items.

        Raises:
            StreamError: The item does not fit, or is over 1 MB. The text names each field and never a value.
            DefinitionError: The type cannot be used.
        """
        adapter = self._adapter or self._prepare()
        try:
            document = adapter.dump(item)
        except ValidationError as invalid:
            raise self._misfit(explain(invalid)) from None
        except UnwritableError as error:
            escaped = adapter.write_escaped(item)
            if escaped is None:
                raise self._misfit(str(error)) from None
            document = escaped
        if len(document) > LARGEST_ITEM:
            what = f"takes items of up to {LARGEST_ITEM:,} bytes of JSON, and this one has {len(document):,}"
            raise StreamError(self.name, what, "Cut it up, or store the data elsewhere and append its address.")
        return document

    def load(self, document: bytes) -> object:
        """Return the item of stored JSON.

        Raises:
            StreamError: The item does not fit the type.
            DefinitionError: The type cannot be used.
        """
        adapter = self._adapter or self._prepare()
        try:
            return adapter.read(document)
        except ValidationError as invalid:
            raise self._misfit(explain(invalid)) from None

    def _misfit(self, reason: str) -> StreamError:
        what = f"has a type that an item does not fit: {reason}"
        return StreamError(self.name, what, "Use the type that the stream is declared with, wherever it is declared.")

    def _prepare(self) -> Adapter:
        declared = self._type
        if isinstance(declared, TypeAdapter):
            self._adapter = Adapter(cast("TypeAdapter[object]", declared), may_hold_floats=True)
        else:
            annotated = Any if declared is None else declared
            self._adapter = Annotation(f"The stream {self.name!r}", annotated, {}).adapter()
        return self._adapter


def check_index(name: str, index: object) -> int:
    """Return the index of a stream's item.

    Raises:
        StreamError: It is not a whole number from 0.
    """
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index <= LAST_INDEX:
        return index
    raise StreamError(name, f"has no item at index {shown(index)}", f"Use a whole number from 0 to {LAST_INDEX:,}.")


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None
