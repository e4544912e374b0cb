"""Checks of a store server before anything relies on it: it keeps every key, and its user may do what taskflow does."""

from typing import Any, Final

from taskflow.errors import SettingsError, StoreScriptError, StoreUnavailableError
from taskflow.store.operations.nodes import list_nodes
from taskflow.store.sync_store import Store

_REFUSED: Final = ("allkeys-", "volatile-")
_RIGHTS: Final = "no permission"
_ACL: Final = "See `Rights in the store` on the settings page of the documentation for the ACL rule."


def check_server(store: Store) -> str:
    """Return the eviction policy, or why it can't be read.

    Raises:
        StoreUnavailableError: No answer.
        SettingsError: The server may drop keys, or its user lacks a right. It says what mends that.
    """
    _check_rights(store)
    policy = _eviction_policy(store)
    if policy is None:
        return "the eviction policy can't be read: make sure that it is noeviction"
    if policy.startswith(_REFUSED):
        raise SettingsError(
            f"The store's eviction policy is {policy}: when its memory is full, it drops keys, and runs with them. Set "
            "it with `redis-cli CONFIG SET maxmemory-policy noeviction`, and in the server's configuration (a managed "
            "server: its parameters)."
        )
    return f"eviction policy {policy}"


def _eviction_policy(store: Store) -> str | None:
    """Return the policy by CONFIG, else by INFO; managed servers hide the one or the other."""
    config: Any = store.send([("CONFIG", "GET", "maxmemory-policy")])[0]
    if isinstance(config, list) and config:
        return bytes(config[1]).decode()  # pyright: ignore[reportUnknownArgumentType] - replies have no types
    (info,) = store.send([("INFO", "memory")])
    if not isinstance(info, bytes):
        return None
    rows = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    return rows.get("maxmemory_policy")


def _check_rights(store: Store) -> None:
    """Do once what taskflow does: load and call a function, read a stream and a hash, publish."""
    try:
        store.run(list_nodes())
    except (StoreUnavailableError, StoreScriptError) as error:
        if _RIGHTS in error.reason.lower() or "acl failure" in error.reason.lower():
            raise SettingsError(f"The store's user lacks a right: {error.reason}. {_ACL}") from error
        raise
    base = store.config.base(0)
    probes = [
        ("XREAD", "COUNT", 1, "STREAMS", f"{base}:wake", "$"),
        ("HGET", f"{base}:upkeep", "reaped"),
        ("PUBLISH", f"{base}:probe", ""),
    ]
    for command, reply in zip(probes, store.send(probes), strict=True):
        if isinstance(reply, Exception):
            raise SettingsError(f"The store's user lacks a right: {command[0]}: {reply}. {_ACL}") from reply
