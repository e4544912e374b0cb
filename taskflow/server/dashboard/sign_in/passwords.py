"""Hashes of passwords by Argon2id, with the parameters of RFC 9106 for little memory (64 MiB)."""

import asyncio
import secrets
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher()
_OF_NOBODY: Final = _HASHER.hash(secrets.token_hex(16))
_POOL: Final = ThreadPoolExecutor(2, thread_name_prefix="taskflow-passwords")
"""Two at a time, because each takes 64 MiB and a core for some 50 ms."""
_MOST_PENDING: Final = 20
"""Some half a second of work. Without a limit, thousands of passwords would keep everybody from signing in."""

_pending = 0


def hash_password(password: str) -> str:
    """Return the hash of a password, in a form that names its algorithm and parameters."""
    return _HASHER.hash(password)


def is_password(hashed: str | None, password: str) -> bool:
    """Whether a password is the one of a hash. None, for an unknown user, takes as long."""
    try:
        _HASHER.verify(hashed or _OF_NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


async def ais_password(hashed: str | None, password: str) -> bool:
    """Whether a password is the one of a hash, without holding the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, is_password, hashed, password)


@contextmanager
def turn() -> Generator[bool]:
    """Count somebody who signs in. Yields False when so many do that the check of the password would wait long."""
    global _pending
    _pending += 1
    try:
        yield _pending <= _MOST_PENDING
    finally:
        _pending -= 1
