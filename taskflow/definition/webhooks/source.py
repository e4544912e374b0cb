"""A source of webhooks: it verifies deliveries, reads them, and signs those that are sent by hand."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from taskflow.definition.webhooks.bodies import field_of, read_body
from taskflow.definition.webhooks.challenge import Challenge, Subscription
from taskflow.definition.webhooks.request import Reply, WebhookRequest
from taskflow.definition.webhooks.secrets import Secret, Secrets
from taskflow.errors import DefinitionError, WebhookVerificationError

LONGEST_ID: Final = 256
_KEPT: Final = ("content-type", "user-agent")
_NEVER_KEPT: Final = ("authorization", "proxy-authorization", "cookie", "x-gitlab-token")


@dataclass(frozen=True, slots=True)
class Reading:
    """The places where a delivery has its id and its type.

    Attributes:
        id_headers: Headers of the id, the first one that is there counts; else ``id_field``, a path of the body.
        event_header: The header of the event's type; else the first of ``event_fields`` that is text.
        action_field: The field whose text stands behind the type of the header: ``issues.opened``.
        form_field: The field that holds JSON where the source sends a form.
        kept: Headers that the record keeps; a name that ends in ``-`` stands for all that begin so.
    """

    id_headers: tuple[str, ...] = ()
    id_field: str | None = None
    event_header: str | None = None
    event_fields: tuple[str, ...] = ()
    action_field: str | None = None
    form_field: str | None = None
    kept: tuple[str, ...] = ()
    challenge: Challenge | None = None
    subscription: Subscription | None = None


@dataclass(frozen=True, slots=True)
class VerifiedDelivery:
    """A delivery that was verified and read.

    Attributes:
        id: The sender's id; without one a digest of the signature and the body.
        event_types: The type, "" if it has none, and more general ones that a filter may name.
        headers: Those that may be kept.
    """

    id: str
    body: object
    event_types: tuple[str, ...]
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def event_type(self) -> str:
        """The type of the event, "" if it has none."""
        return self.event_types[0]


class Source(ABC):
    """A sender of webhooks. Made once, in the declaration of a task; it is used by many requests at a time."""

    secret_headers: tuple[str, ...] = ()
    """Headers that prove the delivery. They are never kept."""

    def __init__(self, secret: Secret, reading: Reading) -> None:
        self._secrets = Secrets(secret)
        self.reading = reading
        refused = sorted({name.lower() for name in reading.kept} & {*_NEVER_KEPT, *self._proofs()})
        if refused:
            remedy = "Leave out headers that prove who sends."
            raise DefinitionError("A header cannot be kept", option="keep_headers", value=refused, remedy=remedy)

    @property
    def name(self) -> str:
        """The name of the source, for example ``GitHub``."""
        return type(self).__name__

    @property
    def takes_get(self) -> bool:
        """Whether the source checks the address with GET."""
        return self.reading.subscription is not None

    @property
    def reads_secrets_slowly(self) -> bool:
        """Whether reading the secrets calls a function of the user, which may block."""
        return self._secrets.is_blocking

    def secrets(self, configured: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the secrets that are valid now. ``configured`` counts where the declaration has none."""
        return self._secrets.read(configured)

    @abstractmethod
    def usable(self, secrets: Sequence[str]) -> int:
        """Return how many of the secrets can verify a delivery. 0: all deliveries are refused."""

    @abstractmethod
    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: float) -> None:
        """Verify a delivery over its raw bytes. ``now`` is in seconds since 1970.

        Raises:
            WebhookVerificationError: It is not genuine, not fresh, or there is no secret. The text has no value of it.
        """

    @abstractmethod
    def sign(self, request: WebhookRequest, secret: str, now: float) -> dict[str, str]:
        """Return the headers that make a request without them a genuine one.

        Raises:
            WebhookVerificationError: The secret only verifies: it is a public key.
        """

    def fresh_body(self, body: bytes, now: float) -> bytes:
        """Return a recorded body with the time that a source writes into each delivery. Here: as it is."""
        return body

    def address(self, request: WebhookRequest, secret: str) -> str:
        """Return the address to which a source sends a request. Here: the request's own."""
        return request.url

    def subscribed(self, request: WebhookRequest) -> Reply | None:
        """Return the reply to a challenge by GET, None to refuse it."""
        return self.reading.subscription.answer(request) if self.reading.subscription else None

    def read(self, request: WebhookRequest, secrets: Sequence[str]) -> VerifiedDelivery | Reply:
        """Return what a verified delivery says; the reply if it is a challenge.

        Raises:
            WebhookBodyError: The body is not JSON or a form.
        """
        body = self.read_body(request)
        challenge = self.reading.challenge
        reply = challenge.answer(body, secrets[0].encode() if secrets else b"") if challenge else None
        return reply or VerifiedDelivery(
            self._id(request, body), body, self._event_types(request, body), dict(self._kept(request))
        )

    def read_body(self, request: WebhookRequest) -> object:
        """Return the body of a verified delivery: JSON, or the fields of a form."""
        return read_body(request, self.reading.form_field)

    def _id(self, request: WebhookRequest, body: object) -> str:
        for name in self.reading.id_headers:
            value = request.header(name)
            if value:
                return _text_of_id(value.decode("latin-1"))
        found = field_of(body, self.reading.id_field) if self.reading.id_field else None
        if isinstance(found, str) and found:
            return _text_of_id(found)
        if isinstance(found, int) and not isinstance(found, bool):
            return _text_of_id(str(found))
        proof = b"".join(request.header(name) or b"" for name in sorted(self._proofs()))
        return f"sha256:{hashlib.sha256(proof + b'.' + request.body).hexdigest()}"

    def _event_types(self, request: WebhookRequest, body: object) -> tuple[str, ...]:
        reading = self.reading
        named = _printable(request.header(reading.event_header)) if reading.event_header else ""
        if named:
            action = field_of(body, reading.action_field) if reading.action_field else None
            return (f"{named}.{action}", named) if isinstance(action, str) and action else (named,)
        found = (field_of(body, path) for path in reading.event_fields)
        return (next((str(each) for each in found if isinstance(each, str | int) and each), ""),)

    def _kept(self, request: WebhookRequest) -> Iterator[tuple[str, str]]:
        names = {name.lower() for name in (*_KEPT, *self.reading.id_headers, *self.reading.kept)}
        names |= {(self.reading.event_header or "").lower()}
        prefixes = tuple(name for name in names if name.endswith("-"))
        never = {*_NEVER_KEPT, *self._proofs()}
        for name_bytes, value in request.headers:
            name = name_bytes.decode("latin-1")
            if name not in never and (name in names or (prefixes and name.startswith(prefixes))):
                yield name, value.decode("latin-1")

    def _proofs(self) -> set[str]:
        return {name.lower() for name in self.secret_headers}

    def __repr__(self) -> str:
        return f"webhooks.{self.name}(...)"


def no_secret() -> WebhookVerificationError:
    """Return the error of a source that has no secret which it can use."""
    return WebhookVerificationError("the source has no secret that can be used, so it refuses everything")


def _text_of_id(text: str) -> str:
    if len(text) <= LONGEST_ID and text.isprintable():
        return text
    return f"sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def _printable(value: bytes | None) -> str:
    text = (value or b"").decode("latin-1")
    return text if text.isprintable() and len(text) <= LONGEST_ID else ""
