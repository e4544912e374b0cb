"""Text of a payload for Flower and the logs of the broker, without secrets."""

import re
from typing import Final, TypeGuard

from pydantic_core import from_json, to_json

_LONGEST: Final = 1024
_STARS: Final = "***"
_SENSITIVE: Final = "|".join(
    (
        "passw(?:or)?d|passphrase|secret|token|authorization|credential|cookie",
        "(?:api|private|access)[-_ ]?key",
    )
)
_HINTS: Final = (b"passw", b"passphrase", b"secret", b"token", b"authorization", b"credential", b"cookie", b"key")
_KEY: Final = re.compile(_SENSITIVE, re.IGNORECASE)
_KEY_IN_JSON: Final = re.compile(rb'(?:%s)[^"]*"\s*:' % _SENSITIVE.encode())


def argsrepr(payload_json: bytes) -> str | None:
    """Return at most 1,024 characters of a payload with the values of sensitive keys replaced by ``"***"``.

    A key is sensitive when it contains password, secret, token, api_key, authorization or the like, at any depth.

    Returns:
        None when the part to show has no such key. The payload itself may then be truncated and shown.
    """
    # A value comes after its key, so what is shown is harmless when the shown part has no such key.
    shown_part = payload_json[: 4 * _LONGEST].lower()
    # Twenty times as fast as the expression, which every trigger would pay for.
    for hint in _HINTS:
        if hint in shown_part:
            break
    else:
        return None
    if _KEY_IN_JSON.search(shown_part) is None:
        return None
    shown = to_json(_redact(from_json(payload_json))).decode()
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def _redact(value: object) -> object:
    if _is_object(value):
        return {key: _STARS if _KEY.search(key) else _redact(child) for key, child in value.items()}
    if _is_array(value):
        return [_redact(child) for child in value]
    return value


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_array(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
