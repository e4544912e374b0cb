"""Hidden values within texts: an error, a log line or a traceback may repeat what a payload hides."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from taskflow.definition.documents.exact_json import Digits
from taskflow.models import RunError

LOCK: Final = "[redacted]"
"""The text in place of a hidden value."""
_SHORTEST: Final = 3
"""Characters from which on a value is looked for: shorter ones stand in most texts by chance."""
_WORD: Final = 8
"""Values with fewer characters are replaced only where they are a word of their own."""
_LONG: Final = 24
"""Values from this length on are found by their first or last half of it, because messages cut long values."""
_MOST: Final = 200
"""With more hidden values than this, a text is hidden as a whole: each of them is looked for in each log line."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Texts of hidden values, the longest first.

    Attributes:
        is_everything: The values are not known, so that every text is hidden as a whole.
    """

    texts: tuple[str, ...] = ()
    is_everything: bool = False

    @classmethod
    def of(cls, values: Sequence[object]) -> "Secrets":
        """Return the texts of hidden values, and of the members and items within them."""
        found = {form for value in values for scalar in _scalars(value) for form in _forms(scalar)}
        if len(found) > _MOST:
            return cls(is_everything=True)
        return cls(tuple(sorted(found, key=lambda text: (-len(text), text))))

    def __bool__(self) -> bool:
        return self.is_everything or bool(self.texts)

    def joined(self, other: "Secrets") -> "Secrets":
        """Return the texts of both."""
        both = sorted({*self.texts, *other.texts}, key=lambda text: (-len(text), text))
        return Secrets(tuple(both), self.is_everything or other.is_everything)

    def within(self, texts: Iterable[str]) -> "Secrets":
        """Return those that any of the texts may repeat, so that each of many texts is searched for few."""
        if self.is_everything or not self.texts:
            return self
        whole = "\n".join(texts)
        half = _LONG // 2
        found = [
            secret
            for secret in self.texts
            if (secret in whole if len(secret) < _LONG else secret[:half] in whole or secret[-half:] in whole)
        ]
        return Secrets(tuple(found))

    def scrub(self, text: str) -> str:
        """Return a text without the hidden values that it repeats."""
        if not text or not self:
            return text
        if self.is_everything:
            return LOCK
        for secret in self.texts:
            text = _without(text, secret)
        return text


NO_SECRETS: Final = Secrets()


def shown_error(error: RunError | None, secrets: Secrets) -> RunError | None:
    """Return an error without hidden values."""
    if error is None or not secrets:
        return error
    causes = tuple(replace(cause, message=secrets.scrub(cause.message)) for cause in error.causes)
    message, traceback = secrets.scrub(error.message), secrets.scrub(error.traceback)
    return replace(error, message=message, traceback=traceback, causes=causes)


def _without(text: str, secret: str) -> str:
    if len(secret) >= _LONG:
        ends = _without_start(_without_start(text, secret, LOCK)[::-1], secret[::-1], LOCK[::-1])
        return ends[::-1]
    if secret not in text:
        return text
    if len(secret) >= _WORD:
        return text.replace(secret, LOCK)
    return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", LOCK, text)


def _without_start(text: str, secret: str, lock: str) -> str:
    """Return a text with a lock in place of the secret and of its beginnings."""
    parts: list[str] = []
    at = 0
    while (found := text.find(secret[: _LONG // 2], at)) >= 0:
        end = found + _common(text, found, secret)
        parts += (text[at:found], lock)
        at = end
    return "".join((*parts, text[at:])) if parts else text


def _common(text: str, at: int, secret: str) -> int:
    """Return how many characters of a secret stand at a place of a text, at least those that were found there."""
    least, most = _LONG // 2, min(len(secret), len(text) - at)
    while least < most:
        middle = (least + most + 1) // 2
        if text.startswith(secret[:middle], at):
            least = middle
        else:
            most = middle - 1
    return least


def _forms(scalar: object) -> Iterator[str]:
    """Yield the ways in which a value stands in texts: as it is, and as Python and JSON quote it."""
    if scalar is None or isinstance(scalar, bool):
        return
    text = str(scalar)
    if isinstance(scalar, Digits):
        forms = [text, _number(text)]
    elif isinstance(scalar, str):
        forms = [text, repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]]
    else:
        forms = [text]
    yield from (form for form in forms if len(form) >= _SHORTEST)


def _number(digits: str) -> str:
    """Return a number as Python writes it."""
    try:
        return repr(json.loads(digits))
    except ValueError:
        return digits


def _scalars(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        for each in cast("Mapping[object, object]", value).values():
            yield from _scalars(each)
    elif isinstance(value, list | tuple):
        for each in cast("Sequence[object]", value):
            yield from _scalars(each)
    else:
        yield value
