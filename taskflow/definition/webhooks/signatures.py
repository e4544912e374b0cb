"""Algorithms of signatures: HMAC from the standard library, ed25519 and ECDSA from ``cryptography``."""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Final, Literal

from taskflow.errors import DefinitionError, WebhookVerificationError

HmacAlgorithm = Literal["sha256", "sha1", "sha384", "sha512"]
KeyAlgorithm = Literal["ed25519", "ecdsa-p256"]
Encoding = Literal["hex", "base64"]
KeyEncoding = Literal["text", "hex", "base64"]

_HEX: Final = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_MISSING: Final = "It needs the package cryptography. Install it: pip install 'celery-taskflow[webhooks]'."


def decode(text: bytes, encoding: Encoding) -> bytes | None:
    """Return the bytes that a text encodes, None unless it does so strictly."""
    if encoding == "hex":
        return bytes.fromhex(text.decode("ascii")) if _HEX.fullmatch(text) else None
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def encode(signature: bytes, encoding: Encoding) -> str:
    """Return the text of a signature."""
    return signature.hex() if encoding == "hex" else base64.b64encode(signature).decode()


def decode_key(secret: str, encoding: KeyEncoding, prefix: str = "") -> bytes | None:
    """Return the key that a secret is, None if it is empty or not of that encoding."""
    if prefix and not secret.startswith(prefix):
        return None
    text = secret.removeprefix(prefix).encode(errors="surrogatepass")
    return (text or None) if encoding == "text" else decode(text, encoding)


def sign_hmac(key: bytes, message: bytes, algorithm: HmacAlgorithm) -> bytes:
    """Return the HMAC of a message."""
    return hmac.digest(key, message, algorithm)


def is_signed(
    keys: Sequence[bytes], message: bytes, signatures: Sequence[bytes], algorithm: HmacAlgorithm | KeyAlgorithm
) -> bool:
    """Whether one of the signatures is one of a message under one of the keys.

    All keys are compared with all signatures, in constant time, so that the time does not show which one matches.
    """
    is_right = False
    for key in keys:
        for matches in _matches(key, message, signatures, algorithm):
            is_right |= matches
    return is_right


def _matches(
    key: bytes, message: bytes, signatures: Sequence[bytes], algorithm: HmacAlgorithm | KeyAlgorithm
) -> list[bool]:
    if algorithm == "ed25519" or algorithm == "ecdsa-p256":
        if find_spec("cryptography") is None:  # the secret is of another kind than at the declaration
            raise WebhookVerificationError("the package cryptography is not installed")
        verify = _verifier(key, algorithm)
        return [verify(signature, message) for signature in signatures]
    expected = sign_hmac(key, message, algorithm)
    return [hmac.compare_digest(expected, signature) for signature in signatures]


def _verifier(key: bytes, algorithm: KeyAlgorithm) -> Callable[[bytes, bytes], bool]:
    """Return the function that verifies (signature, message) under a public key. An impossible key verifies nothing."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    def verify(signature: bytes, message: bytes) -> bool:
        try:
            if algorithm == "ed25519":
                Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
                return True
            public = load_der_public_key(key)
            if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256R1):
                return False
            public.verify(signature, message, ECDSA(SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True

    return verify


def require_cryptography(what: str) -> None:
    """Refuse a source that cannot be verified here.

    Raises:
        DefinitionError: ``cryptography`` is not installed.
    """
    if find_spec("cryptography") is None:
        raise DefinitionError(f"{what} cannot be verified here", remedy=_MISSING)
