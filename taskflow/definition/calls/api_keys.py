"""API keys as the server's callers present them, and as people see them."""

import hashlib
import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime
from typing import Final

_ALPHABET: Final = string.ascii_letters + string.digits
_LENGTH: Final = 24
_SHAPE: Final = re.compile(rf"tr_(?:dev|stg|prod|preview)_sk_[0-9A-Za-z]{{{_LENGTH}}}")
_KINDS: Final = (("prod", ("prod", "live")), ("stg", ("stag", "stg")), ("dev", ("dev", "local", "test")))
LONGEST_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key's record. The key itself is known to its holder only.

    Attributes:
        shown: Its beginning and its end: ``tr_dev_sk_...a1B2``.
        last_used_at: To the minute; None until it is used.
        rate_limit: Requests per period, ``"100/60s"``, when it has a rate of its own.
    """

    id: str
    name: str
    shown: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    is_read_only: bool = False
    rate_limit: str | None = None


def new_api_key(environment: str) -> str:
    """Return a new key: 143 random bits. What it says of the environment is for people."""
    named = environment.lower()
    kind = next((kind for kind, starts in _KINDS if named.startswith(starts)), "preview")
    return f"tr_{kind}_sk_{''.join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))}"


def is_api_key(text: str) -> bool:
    """Whether a text has the shape of a key."""
    return _SHAPE.fullmatch(text) is not None


def digest_of(key: str) -> str:
    """Return the SHA-256 of a key, by which the store finds it. A random key needs no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


def shown_key(key: str) -> str:
    """Return the form of a key that people see."""
    return f"{key[: key.index('_sk_') + 4]}...{key[-4:]}"
