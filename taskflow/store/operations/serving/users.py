"""The operations of the dashboard's users and their sessions. The store has hashes of passwords and of secrets."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from taskflow.definition.calls.users import Role, User
from taskflow.store.operations.encoding import milliseconds
from taskflow.store.operations.operation import Operation

WriteMode = Literal["add", "change", "first"]


def write_user(user: User, mode: WriteMode) -> Operation[bool]:
    """Keep a user. Reads as False where the mode refuses: see the script."""
    document = {
        "role": user.role,
        "password": user.password,
        "stamp": user.stamp,
        "created": user.created_at.timestamp(),
    }
    return Operation("write_user", (user.name, mode, json.dumps(document)), lambda code, _: code == 1)


def read_users(name: str = "") -> Operation[list[User]]:
    """Read one user, or all, by name."""

    def read(_: int, value: Any) -> list[User]:
        found = [_user(value[index], value[index + 1]) for index in range(0, len(value), 2)]
        return sorted(found, key=lambda user: user.name)

    return Operation("read_users", (name,), read)


def remove_user(name: str) -> Operation[bool]:
    """Remove a user. Reads as False for an unknown one."""
    return Operation("remove_user", (name,), lambda code, _: code == 1)


def open_session(digest: str, user: User, life: timedelta, subjects: Sequence[str]) -> Operation[None]:
    """Open a session, and forget the tries of subjects."""
    return Operation(
        "open_session", (digest, user.name, user.stamp, milliseconds(life), *subjects), lambda _code, _value: None
    )


def check_session(digest: str, life: timedelta) -> Operation[User | None]:
    """Read the user of a session and prolong it, unless the life is 0; None for a session that is none."""

    def read(code: int, value: Any) -> User | None:
        return _user(*value) if code == 1 else None

    return Operation("check_session", (digest, milliseconds(life)), read)


def close_session(digest: str) -> Operation[None]:
    """Close a session."""
    return Operation("close_session", (digest,), lambda _code, _value: None)


def count_sign_in(subjects: Sequence[tuple[str, int]], pause: timedelta) -> Operation[tuple[int, timedelta | None]]:
    """Count a try of each subject, which has a number of them.

    Reads as the tries that are left, and how long the next one must wait when there was none left.
    """

    def read(code: int, value: Any) -> tuple[int, timedelta | None]:
        return (int(value), None) if code == 1 else (0, timedelta(milliseconds=int(value)))

    flat: list[str | int] = []
    for digest, most in subjects:
        flat += [digest, most]
    return Operation("count_sign_in", (milliseconds(pause), *flat), read)


def _user(name: bytes, document: bytes) -> User:
    fields = json.loads(document)
    created = datetime.fromtimestamp(fields["created"], UTC)
    return User(name.decode(), Role(fields["role"]), fields["password"], fields["stamp"], created)
