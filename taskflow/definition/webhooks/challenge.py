"""Challenges: requests by which a source checks that an address takes its deliveries. They make no run."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from taskflow.definition.webhooks.bodies import field_of
from taskflow.definition.webhooks.request import Reply, WebhookRequest
from taskflow.definition.webhooks.secrets import Secret, Secrets

_PLACE: Final = re.compile(r"\{(hmac:)?([A-Za-z0-9_.]+)\}")
_ECHOED: Final = re.compile(r"[A-Za-z0-9_.~-]{1,512}")


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge in the body of a verified delivery.

    Attributes:
        field: The dotted path of the field that marks a challenge.
        equals: The value that the field has then.
        reply: The answer: text, or a JSON object. In its texts, ``{path}`` stands for the text at a path of the body,
            and ``{hmac:path}`` for the hex HMAC-SHA256 of that text under the newest secret.
    """

    field: str
    equals: str | int
    reply: str | Mapping[str, object]

    def answer(self, body: object, key: bytes) -> Reply | None:
        """Return the reply to a challenge, None for an ordinary delivery."""
        found = field_of(body, self.field)
        if type(found) is not type(self.equals) or found != self.equals:
            return None
        return Reply.of(cast("str | dict[str, object]", _filled(self.reply, body, key)))


@dataclass(frozen=True, slots=True)
class Subscription:
    """A challenge by GET, whose parameter is echoed, as Meta's.

    Attributes:
        parameter: The parameter to echo: letters, digits and ``_ . ~ -`` only.
        token_parameter: The parameter with the token that the owner has chosen; a request without the token is refused.
        token: The token, in the forms of a source's secret.
    """

    token: Secret = field(repr=False)
    parameter: str = "hub.challenge"
    token_parameter: str = "hub.verify_token"

    def answer(self, request: WebhookRequest) -> Reply | None:
        """Return the reply, None when the request is not a challenge with the right token."""
        given = (request.parameter(self.token_parameter) or "").encode()
        echoed = request.parameter(self.parameter) or ""
        is_right = False
        for token in Secrets(self.token).read():
            is_right |= hmac.compare_digest(token.encode(), given)
        return Reply.of(echoed) if is_right and _ECHOED.fullmatch(echoed) else None


def _filled(template: object, body: object, key: bytes) -> object:
    if isinstance(template, Mapping):
        members = cast("Mapping[str, object]", template)
        return {name: _filled(value, body, key) for name, value in members.items()}
    if not isinstance(template, str):
        return template

    def put(match: re.Match[str]) -> str:
        found = field_of(body, match.group(2))
        text = found if isinstance(found, str) else ""
        return hmac.digest(key, text.encode(), "sha256").hex() if match.group(1) else text

    return _PLACE.sub(put, template)
