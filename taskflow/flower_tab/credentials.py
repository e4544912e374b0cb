"""The credentials of Flower: those that the user has set, else a password that is kept in the project's home."""

import ipaddress
import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from taskflow.errors import SettingsError
from taskflow.project import kept_secret

USER: Final = "admin"
_FILE: Final = "flower.password"
_HOW: Final = "Set FLOWER_BASIC_AUTH=name:password in the environment, or basic_auth in flowerconfig.py"


@dataclass(frozen=True, slots=True)
class OwnPassword:
    """The password of ``admin`` that taskflow has made.

    Attributes:
        is_new: Whether it was made just now, so that nobody has seen it yet.
    """

    text: str
    file: Path
    is_new: bool


def own_password(home: Path) -> OwnPassword:
    """Return the password that is kept in the project's home, and make it if there is none.

    Raises:
        SettingsError: The file has no password, or one that no browser could send.
    """
    file = home / _FILE
    content, is_new = kept_secret(file, partial(secrets.token_urlsafe, 18))
    text = content.decode(errors="replace").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise SettingsError(f"{file} holds no password. Delete it, and the next start makes a new one.")
    return OwnPassword(text, file, is_new)


def check_credentials(pairs: list[str]) -> None:
    """Check credentials that the user has set.

    Raises:
        SettingsError: One of them is not a name and a password. The message does not repeat it.
    """
    for number, pair in enumerate(pairs, 1):
        name, _, password = pair.partition(":")
        if not name or not password:
            which = f"Credential {number} of {len(pairs)}" if len(pairs) > 1 else "The credential"
            fault = f"{which} of Flower is not name:password (a comma separates several)."
            raise SettingsError(f"{fault} {_HOW}.")
        if not pair.isascii():
            raise SettingsError(f"The credentials of {name!r} are not ASCII, and Flower can compare no others. {_HOW}.")


def check_address(address: str) -> None:
    """Check that an address is this host's own, where the generated password is enough.

    Raises:
        SettingsError: Other hosts reach it.
    """
    if address == "localhost":
        return
    try:
        is_own = ipaddress.ip_address(address).is_loopback
    except ValueError:
        is_own = False
    if not is_own:
        what = f"Flower would listen at {address}" if address else "Flower would listen at all addresses of this host"
        raise SettingsError(
            f"{what}, which other hosts may reach, and you have set no credentials. {_HOW}; the address 127.0.0.1 "
            "needs none."
        )
