"""The scopes of public tokens: ``action``, ``action:type`` or ``action:type:id``. No I/O."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Groups: TypeAlias = Sequence[Sequence[str]]
"""Resources that a request needs: of each group at least one, as ``"tasks:hello-world"`` or ``"runs"``."""


def grants(scope: str, action: str, resource: str) -> bool:
    """Whether a scope grants an action on a resource. An id may hold colons; an empty one grants nothing."""
    if scope == "admin":
        return True
    granted, _, rest = scope.partition(":")
    if granted not in (action, "*") or not rest:
        return False
    kind, colon, name = rest.partition(":")
    wanted_kind, _, wanted_name = resource.partition(":")
    return kind == "all" or (kind == wanted_kind and (not colon or name == wanted_name))


def has_action(scopes: Iterable[str], action: str) -> bool:
    """Whether any scope is about an action: else the request is refused before its body is read."""
    return any(scope == "admin" or scope.partition(":")[0] in (action, "*") for scope in scopes)


def missing(scopes: Sequence[str], action: str, groups: Groups) -> str | None:
    """Return the first resource that the scopes do not grant, None when they grant what is needed."""
    for group in groups:
        if not any(grants(scope, action, resource) for scope in scopes for resource in group):
            return group[0]
    return None
