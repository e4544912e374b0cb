"""Data whose texts hold lone surrogates, which JSON in UTF-8 cannot express, in a readable form."""

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from taskflow.texts import escaped, is_encodable


def escaped_value(value: object) -> object:
    """Return data with the texts and names of its mappings, lists and sets ``escaped``."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, Mapping):
        members = cast("Mapping[object, object]", value).items()
        return {escaped_value(name): escaped_value(member) for name, member in members}
    if isinstance(value, list | tuple | set | frozenset):
        return [escaped_value(item) for item in cast("Iterable[object]", value)]
    return value


def can_be_escaped(value: object) -> bool:
    """Whether a text of such data has a lone surrogate, and no name: another name could be that of another member."""
    odd = {is_name for text, is_name in _texts(value) if not is_encodable(text)}
    return odd == {False}


def _texts(value: object, *, is_name: bool = False) -> Iterator[tuple[str, bool]]:
    if isinstance(value, str):
        yield value, is_name
    elif isinstance(value, Mapping):
        for name, member in cast("Mapping[object, object]", value).items():
            yield from _texts(name, is_name=True)
            yield from _texts(member)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in cast("Iterable[object]", value):
            yield from _texts(item)
