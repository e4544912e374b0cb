"""Texts that users give: which of them every store can hold, a readable form of the others, and a short one.

A Python text may hold half of a surrogate pair, for example of a file name that is no UTF-8, or of a cut JSON document.
UTF-8 has no form for it, PostgreSQL's text has none for NUL.
"""

import re
from typing import Final

_LONE: Final = re.compile("[\ud800-\udfff]")
_BACKSLASH: Final = "\\"
_MARKER_CHARS: Final = 80
_HIDDEN: Final = (
    "\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)
"""Control characters, those that turn the direction of text or show nothing, and halves of surrogate pairs."""
HIDDEN: Final = re.compile(f"[{_HIDDEN}]")
_IN_LINE: Final = re.compile(f"[\t\n{_HIDDEN}]")


def text_fault(text: str) -> str | None:
    """Return why no store can hold a text, None when each can.

    Returns:
        ``"it holds a lone surrogate, which UTF-8 cannot express"``, or the same about NUL.
    """
    if "\0" in text:
        return "it holds the character NUL, which not every database can hold"
    return None if is_encodable(text) else "it holds a lone surrogate, which UTF-8 cannot express"


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can express a text."""
    return text.isascii() or _LONE.search(text) is None


def is_possible_id(given: object) -> bool:
    """Whether a value may be the id of a run or token: text that UTF-8 can express."""
    return isinstance(given, str) and is_encodable(given)


def escaped(text: str) -> str:
    r"""Return a text with ``\udc80`` in place of such a half, so that it can be stored and is seen."""
    return text if is_encodable(text) else _LONE.sub(_escape, text)


def storable(text: str) -> str:
    """Return a text that every store can hold: such halves escaped, NUL left out."""
    return escaped(text.replace("\0", "") if "\0" in text else text)


def cut(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters: its head and its tail, and between them how much was cut.

    A long text is not copied as a whole.
    """
    if len(text) <= most:
        return text
    kept = max(0, most - _MARKER_CHARS)
    begin, end = kept - kept // 4, len(text) - kept // 4
    breaks = text.count("\n", begin, end)
    lines = f" on {breaks + 1:,} lines" if breaks else ""
    around = "\n" if breaks else " "
    return f"{text[:begin]}{around}... [{end - begin:,} characters{lines} were cut] ...{around}{text[end:]}"


def message_of(error: BaseException, most: int) -> str:
    """Return the message of an exception of any kind, cut and storable."""
    try:
        return storable(cut(str(error), most))
    except Exception:  # noqa: BLE001 - its own __str__ is user code
        return f"(the message of this {type(error).__name__} cannot be read)"


def visible(text: str) -> str:
    r"""Return a text whose invisible characters are escapes: ``\x1b``. Line breaks and tabs stay."""
    return HIDDEN.sub(_made_visible, text)


def visible_line(text: str) -> str:
    """Return a text on one line, with all invisible characters as escapes."""
    return _IN_LINE.sub(_made_visible, text)


def escaped_json(document: str) -> str:
    """Return a JSON document with such halves escaped in its texts, so that they are read as ``escaped`` shows them."""
    return document if is_encodable(document) else _LONE.sub(lambda half: _BACKSLASH + _escape(half), document)


def _escape(half: re.Match[str]) -> str:
    return f"{_BACKSLASH}u{ord(half.group()):04x}"


def _made_visible(found: re.Match[str]) -> str:
    return ascii(found.group())[1:-1]
