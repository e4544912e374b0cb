"""Invisible characters in pages: shown as escapes in text, kept in the values of fields.

An escape sequence of a terminal, or a character that turns the direction of text, comes with names, tags and errors.
A page shows ``\\x1b`` in its place. A field, and what a script copies, has the text itself, because it is sent back.
"""

import re
from typing import Any, Final

from jinja2.ext import Extension

from taskflow.texts import visible

_EXPRESSION: Final = r"\{\{(?P<of>[^{}]*)\}\}"
_KEPT: Final = (
    re.compile(rf'(?P<before>\b(?:value|data-[a-z-]+)="){_EXPRESSION}'),
    re.compile(rf"(?P<before>){_EXPRESSION}(?=</textarea>)"),
)


class Kept(str):
    """A text that stays as it is."""

    __slots__ = ()


def kept(value: object) -> object:
    """Return a value whose invisible characters stay: the filter ``kept`` of templates."""
    return Kept(value) if type(value) is str else value


def shown(value: Any) -> Any:
    """Return the value of an expression of a template, with escapes for the invisible characters of a text."""
    return visible(value) if type(value) is str else value


class KeepFields(Extension):
    """Adds the filter ``kept`` to expressions that are the value of a field or of an attribute of scripts."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return the source of a template with the filter in its places."""
        for places in _KEPT:
            source = places.sub(r"\g<before>{{ (\g<of>)|kept }}", source)
        return source
