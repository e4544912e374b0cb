"""Permissions of the users of a site."""

from typing import Any


def may(user: object, permission: str) -> bool:
    """Whether a user has a permission."""
    known: Any = user
    return bool(known.has_perm(permission))
