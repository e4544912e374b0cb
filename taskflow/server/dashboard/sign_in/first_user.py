"""The first user, whom ``taskflow server`` makes."""

import secrets
from typing import Final

from taskflow.app import TaskFlow
from taskflow.definition.calls.users import Role
from taskflow.server.dashboard.sign_in.passwords import hash_password

FIRST: Final = "admin"


def make_first_user(flow: TaskFlow) -> str | None:
    """Make the user ``admin`` if there is no user yet, and return the password: only now can it be shown.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    users = flow.engine.users
    if users.list():
        return None
    password = secrets.token_urlsafe(12)
    return password if users.add(FIRST, Role.ADMIN, hash_password(password), is_first=True) else None
