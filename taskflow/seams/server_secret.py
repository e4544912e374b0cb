"""The secret of a deployment's servers: public tokens and token URLs are signed with keys that are derived from it.

It is TASKFLOW_SECRET_KEY. Without it, a random one in the project's home, which all processes of the project share.
"""

import hashlib
import hmac
import logging
import secrets
from functools import partial
from pathlib import Path
from typing import Final, Literal

from taskflow.project import kept_secret
from taskflow.settings import Settings

log = logging.getLogger("taskflow.server")
Purpose = Literal["public-tokens", "token-urls", "uploads", "webhook-urls"]
_FILE: Final = "server.secret"


class ServerSecret:
    """Derives keys. The secret is read, or made, at the first use.

    Two environments and two purposes never have the same key, so that nothing that is signed for one is valid for
    another.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret: bytes | None = None

    def key(self, purpose: Purpose) -> bytes:
        """Return the key of a purpose: HMAC-SHA256 of purpose and environment."""
        if self._secret is None:
            self._secret = self._read()
        return hmac.digest(self._secret, f"{purpose}:{self._settings.environment}".encode(), hashlib.sha256)

    def _read(self) -> bytes:
        configured = self._settings.secret_key
        if configured is not None:
            return configured.get_secret_value().encode()
        return _kept(self._settings.home / _FILE)


def _kept(file: Path) -> bytes:
    """Return the content of a file, which the first of several processes makes."""
    secret, is_made = kept_secret(file, partial(secrets.token_hex, 32))
    if is_made:
        log.info("secret.made: %s signs public tokens and token URLs. Several hosts need TASKFLOW_SECRET_KEY.", file)
    return secret
