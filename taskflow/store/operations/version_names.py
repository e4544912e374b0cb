"""Versions of code in the names of keys and Celery queues. No I/O."""

import hashlib
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

_LONGEST: Final = 32
"""A Celery queue's name has 255 bytes on RabbitMQ, and a queue of ours may take 128 of them."""
_DIGITS: Final = 8


def version_name(version: str) -> str:
    """Return a version as a name: percent-encoded, and with a digest in place of its end when it is long."""
    quoted = quote(version, safe="")
    return quoted if len(quoted) <= _LONGEST else f"{quoted[: _LONGEST - _DIGITS - 1]}~{_digest(version)}"


def code_name(version: str, task_ids: Iterable[str]) -> str:
    """Name the code of a version that declares these tasks: ``<version>.<digest of the ids>``.

    Nodes of one version may declare different tasks. A run for nodes of one name can execute on each of them.
    """
    return f"{version_name(version)}.{_digest(' '.join(sorted(task_ids)))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
