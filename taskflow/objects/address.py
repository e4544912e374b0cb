"""Addresses of large values, which records hold instead of JSON. No I/O.

An address is ``@<day>/<run id>/<kind>-<32 hex digits>``. No JSON begins with ``@``, so the first character separates
the two.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from urllib.parse import quote, unquote

Kind = Literal["payload", "output"]
MARK: Final = b"@"
_NAME: Final = re.compile(r"[0-9]{8}/(?:[A-Za-z0-9_~-]|%[0-9A-F]{2}){1,200}/(?:payload|output)-[0-9a-f]{32}")
_LONGEST_FOLDER: Final = 200


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a large value: ``name`` is a path below the object store's root."""

    name: str

    @property
    def stored(self) -> bytes:
        """The text that the record holds."""
        return MARK + self.name.encode()

    @property
    def is_ours(self) -> bool:
        """Whether ``new_address`` could have made it. Any other may lead out of the root, and is not followed."""
        return _NAME.fullmatch(self.name) is not None


@dataclass(frozen=True, slots=True)
class LargeValue:
    """A value to write as an object."""

    address: Address
    document: bytes


def is_address(stored: bytes) -> bool:
    """Whether a stored value is an address and not JSON."""
    return stored[:1] == MARK


def address_of(stored: bytes) -> Address:
    """Return the address that a record holds, unchecked: see ``is_ours``."""
    return Address(stored[1:].decode(errors="replace"))


def new_address(run_id: str, kind: Kind, now: datetime) -> Address | None:
    """Return a random address that no other attempt has; None for a run id that is too long for a path."""
    folder = quote(run_id, safe="").replace(".", "%2E")
    if not 1 <= len(folder) <= _LONGEST_FOLDER:
        return None
    return Address(f"{now:%Y%m%d}/{folder}/{kind}-{secrets.token_hex(16)}")


def run_of_folder(folder: str) -> str:
    """Return the run whose objects a folder holds."""
    return unquote(folder)
