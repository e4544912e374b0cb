"""A delivery as it arrived, and the reply to a challenge. Nothing of it is trusted before it was verified."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from pydantic_core import to_json

from taskflow.errors import WebhookVerificationError

_MOST_PARAMETERS: Final = 100
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One HTTP request to a webhook's address.

    Attributes:
        headers: Names in lower case and values, as they arrived: a header may occur twice.
        url: The public address with its query, which some sources sign.
        body: The raw bytes, which every source signs.
    """

    method: str
    url: str
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> bytes | None:
        """Return the value of a header, None if it is absent.

        Raises:
            WebhookVerificationError: It occurs twice: one reader would take the first, another one the last.
        """
        wanted = name.lower().encode()
        values = [value for each, value in self.headers if each == wanted]
        if len(values) > 1:
            raise WebhookVerificationError(f"the header {name} occurs {len(values)} times")
        return values[0] if values else None

    def required(self, name: str) -> bytes:
        """Return the value of a header that must be there and not empty.

        Raises:
            WebhookVerificationError: It is absent, empty, or occurs twice.
        """
        value = self.header(name)
        if not value:
            raise WebhookVerificationError(f"the header {name} is {'absent' if value is None else 'empty'}")
        return value

    @property
    def media_type(self) -> str:
        """The type of the body, in lower case and without parameters, "" if the request names none."""
        return (self.header("Content-Type") or b"").partition(b";")[0].strip().decode("latin-1").lower()

    def parameter(self, name: str) -> str | None:
        """Return a parameter of the URL's query, None if it is absent or occurs twice."""
        values = [value for each, value in self.query if each == name]
        return values[0] if len(values) == 1 else None

    @property
    def query(self) -> list[tuple[str, str]]:
        """The parameters of the URL's query, none if they cannot be read. The host may be anything."""
        try:
            return parse_qsl(self.url.partition("?")[2], keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            return []


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a challenge, which makes neither a delivery nor a run."""

    body: bytes
    media_type: str

    @classmethod
    def of(cls, answer: str | Mapping[str, object]) -> "Reply":
        """Return the reply of a text, or of a JSON object."""
        if isinstance(answer, str):
            return cls(answer.encode(), "text/plain")
        return cls(to_json(dict(answer)), "application/json")
