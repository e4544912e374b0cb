"""A JSON text in colours, to lie beneath the field in which it is typed: the same characters, and lines marked."""

import re
from collections.abc import Collection
from html import escape
from typing import Final

from markupsafe import Markup

_TOKEN: Final = re.compile(
    r'(?P<k>"(?:[^"\\\n]|\\.)*"(?=\s*:))|(?P<s>"(?:[^"\\\n]|\\.)*"?)|(?P<n>-?\d[\d.eE+-]*)|(?P<l>true|false|null)|(?P<p>[{}\[\],:])'
)
"""A string without an end goes on to the end of its line, so that no quote in it is tried as the begin of another."""
_LARGEST: Final = 100_000


def painted(text: str, marked: Collection[int]) -> Markup | None:
    """Return the text as markup; ``marked`` are lines, from 1. None for a text that is too large to be painted."""
    if len(text) > _LARGEST:
        return None
    return Markup("\n".join(_line(line, number in marked) for number, line in enumerate(text.split("\n"), start=1)))


def _line(line: str, is_marked: bool) -> str:
    """Return one line as HTML: everything of the text is escaped here, because a part at a time would be slow."""
    parts: list[str] = []
    end = 0
    for token in _TOKEN.finditer(line):
        parts += (escape(line[end : token.start()]), f'<span class="{token.lastgroup}">{escape(token[0])}</span>')
        end = token.end()
    inner = "".join((*parts, escape(line[end:])))
    return f'<span class="bad-line">{inner}</span>' if is_marked else inner
