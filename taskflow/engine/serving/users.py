"""The engine behind ``taskflow users`` and signing in. Users and sessions are on the first shard.

It never has a password: callers hash it (``server/dashboard/sign_in/passwords.py``).
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.definition.calls.users import Role, User, check_user_name
from taskflow.engine.loops import Loop
from taskflow.errors import UserError
from taskflow.store.operations.serving import users as operations
from taskflow.store.sync_store import Store

SESSION_LIFE: Final = timedelta(hours=12)
"""Time without use after which a session ends."""
PAUSE: Final = timedelta(minutes=1)
"""Time from the first of several failed tries until the next tries."""
_TRIES_FROM_ADDRESS: Final = 5
_TRIES: Final = 50
_TRIES_OF_ADDRESS: Final = 60
"""Of all names together, so that one password is not tried with every name."""


class UserEngine:
    """Adds, lists, changes and removes users, and opens, checks and closes their sessions."""

    def __init__(self, store: Store, loop: Callable[[], Loop]) -> None:
        self._store, self._loop = store, loop

    def add(self, name: str, role: Role, password: str, *, is_first: bool = False) -> bool:
        """Add a user with the hash of a password.

        Args:
            is_first: Only if there is no user yet.

        Returns:
            False when there is one already, with ``is_first``.

        Raises:
            UserError: The name is taken, or can't be a name.
        """
        user = User(check_user_name(name), role, password, secrets.token_hex(8), datetime.now(UTC))
        was_added = self._store.run(operations.write_user(user, "first" if is_first else "add"))
        if not was_added and not is_first:
            raise UserError(f"There is a user {name!r} already", f"New password: taskflow users password {name}")
        return was_added

    def list(self) -> Sequence[User]:
        """Return all users by name."""
        return self._store.run(operations.read_users())

    def change_password(self, name: str, password: str) -> None:
        """Give a user another password, by its hash. Sessions of the user end.

        Raises:
            UserError: No such user.
        """
        found = self._store.run(operations.read_users(name))
        changed = [User(each.name, each.role, password, secrets.token_hex(8), each.created_at) for each in found]
        if not changed or not self._store.run(operations.write_user(changed[0], "change")):
            raise _unknown(name)

    def remove(self, name: str) -> None:
        """Remove a user. Sessions of the user end.

        Raises:
            UserError: No such user.
        """
        if not self._store.run(operations.remove_user(name)):
            raise _unknown(name)

    async def aread(self, name: str) -> User | None:
        """Return a user, None for an unknown name."""
        found = await self._loop().store.run(operations.read_users(name))
        return found[0] if name and found else None

    async def alist(self) -> Sequence[User]:
        """Return all users by name."""
        return await self._loop().store.run(operations.read_users())

    async def acount_try(self, name: str, address: str) -> tuple[int, timedelta | None]:
        """Count a try to sign in. Returns how many are left, and how long to wait if there was none left."""
        subjects = [
            *zip(_subjects(name, address), (_TRIES_FROM_ADDRESS, _TRIES), strict=True),
            (_digest(address), _TRIES_OF_ADDRESS),
        ]
        return await self._loop().store.run(operations.count_sign_in(subjects, PAUSE))

    async def aopen_session(self, user: User, address: str) -> str:
        """Open a session and return its secret, of which the store has a hash."""
        secret = secrets.token_urlsafe(32)
        subjects = _subjects(user.name, address)
        await self._loop().store.run(operations.open_session(_digest(secret), user, SESSION_LIFE, subjects))
        return secret

    async def acheck_session(self, secret: str) -> User | None:
        """Return the user of a session and prolong it; None for a session that has ended."""
        return await self._loop().store.run(operations.check_session(_digest(secret), SESSION_LIFE))

    async def ais_open(self, secret: str) -> bool:
        """Whether a session is open. It is not prolonged: a page that is only looked at is not used."""
        return await self._loop().store.run(operations.check_session(_digest(secret), timedelta())) is not None

    async def aclose_session(self, secret: str) -> None:
        """Close a session."""
        await self._loop().store.run(operations.close_session(_digest(secret)))


def _subjects(name: str, address: str) -> tuple[str, str]:
    """Return the subjects whose tries are counted: a name from one address, and from all."""
    return _digest(f"{address}\n{name}"), _digest(f"\n{name}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _unknown(name: str) -> UserError:
    return UserError(f"There is no user {name[:64]!r}", "See `taskflow users list`.")
