"""The text that a source signs, as a template over parts of the request. It is filled in as bytes."""

import string
from collections.abc import Mapping
from typing import Final

from taskflow.errors import DefinitionError, WebhookVerificationError

PARTS: Final = ("id", "timestamp", "method", "url", "body")


class SigningTemplate:
    """A template such as ``{timestamp}.{body}``.

    Args:
        text: Literal text and ``{id}``, ``{timestamp}``, ``{method}``, ``{url}`` and ``{body}``, the last one needed.

    Raises:
        DefinitionError: It has another part, or no body, so that anybody could change the body.
    """

    __slots__ = ("_parts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._parts = [(literal.encode(), name) for literal, name, _, _ in string.Formatter().parse(text)]
        except ValueError:
            self._parts = []
        names = [name for _, name in self._parts if name is not None]
        if "body" not in names or not set(names) <= set(PARTS):
            remedy = 'Use text with {body}, and {id}, {timestamp}, {method} and {url}: "{timestamp}.{body}".'
            raise DefinitionError("A signing template cannot be so", option="signed", value=text, remedy=remedy)

    def has(self, part: str) -> bool:
        """Whether a part of the request is signed."""
        return any(name == part for _, name in self._parts)

    def fill(self, values: Mapping[str, bytes]) -> bytes:
        """Return the signed bytes.

        Raises:
            WebhookVerificationError: The id holds the character behind it, so that two requests would sign the same.
        """
        self._refuse_ambiguous(values.get("id", b""))
        return b"".join(literal + (values[name] if name else b"") for literal, name in self._parts)

    def _refuse_ambiguous(self, delivery_id: bytes) -> None:
        for place, (_, name) in enumerate(self._parts[:-1]):
            behind = self._parts[place + 1][0][:1]
            if name == "id" and behind and behind in delivery_id:
                raise WebhookVerificationError("the id has a character that separates the signed parts")
