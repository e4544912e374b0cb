"""Addresses of webhook tasks, and checked arguments of the verbs of deliveries. No I/O."""

import hashlib
import hmac
import re
from base64 import b32encode
from dataclasses import dataclass
from typing import Final

from taskflow.definition.webhooks.deliveries import DeliveryStatus

WEBHOOKS_PATH: Final = "/webhooks"
_ENDPOINT: Final = re.compile(r"[a-z2-7]{32}")


@dataclass(frozen=True, slots=True)
class DeliveryQuery:
    """Checked arguments of a list of deliveries."""

    task_id: str | None
    status: DeliveryStatus | None
    limit: int
    cursor: str | None


def endpoint_id(key: bytes, task_id: str) -> str:
    """Return the opaque id of a task's endpoint: 160 bits that follow from the task and the servers' secret."""
    digest = hmac.digest(key, task_id.encode(), hashlib.sha256)
    return b32encode(digest[:20]).decode().lower()


def is_endpoint_id(text: str) -> bool:
    """Whether a text has the form of an endpoint's id."""
    return _ENDPOINT.fullmatch(text) is not None


def endpoint_path(endpoint: str) -> str:
    """Return the path of an endpoint."""
    return f"{WEBHOOKS_PATH}/{endpoint}"
