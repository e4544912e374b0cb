"""Users of the dashboard, and what their roles allow."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from taskflow.errors import UserError
from taskflow.texts import text_fault

LONGEST_NAME: Final = 64
SHORTEST_PASSWORD: Final = 8
LONGEST_PASSWORD: Final = 1024


class Role(StrEnum):
    """A user's role. Each one allows what those before it allow."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def allows(self, needed: "Role") -> bool:
        """Whether a user of this role may do what needs another one."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class User:
    """A user of the dashboard.

    Attributes:
        password: The hash of the password, in a form that names its algorithm.
        stamp: Random text that changes with the password: sessions of an older one end.
    """

    name: str
    role: Role
    password: str
    stamp: str
    created_at: datetime


def check_user_name(name: str) -> str:
    """Return a name that a user can have.

    Raises:
        UserError: It is empty, longer than 64 characters, or has characters that cannot be stored or seen.
    """
    if not 1 <= len(name) <= LONGEST_NAME or name != name.strip() or not name.isprintable() or text_fault(name):
        raise UserError(
            f"{name[:LONGEST_NAME]!r} can't name a user",
            f"Use 1 to {LONGEST_NAME} printable characters, without space at the ends.",
        )
    return name


def check_role(role: str) -> Role:
    """Return a role by its name.

    Raises:
        UserError: There is no such role.
    """
    try:
        return Role(role)
    except ValueError:
        raise UserError(f"There is no role {role[:LONGEST_NAME]!r}", f"Use one of {', '.join(Role)}.") from None


def check_password(password: str) -> str:
    """Return a password that is long enough, and can be typed.

    Raises:
        UserError: It has fewer than 8 or more than 1,024 characters.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD or text_fault(password):
        raise UserError("That can't be a password", f"Use {SHORTEST_PASSWORD} to {LONGEST_PASSWORD:,} characters.")
    return password
