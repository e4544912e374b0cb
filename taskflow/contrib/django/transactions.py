"""Django's transactions: a trigger inside ``atomic()`` makes its run when the outermost block is committed."""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

from django.core.signals import setting_changed
from django.db import connections, transaction
from django.utils.connection import ConnectionDoesNotExist

from taskflow import Settings, TriggerOptionError
from taskflow.contrib.django import outbox
from taskflow.contrib.django.site_settings import NAME
from taskflow.seams.transactions import Transaction
from taskflow.suggestions import did_you_mean


class DjangoTransaction:
    """An open ``atomic()`` of one database."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def on_commit(self, publish: Callable[[], None]) -> None:
        """Have a function called after the commit. The rollback of a nested block that registered it drops it."""
        transaction.on_commit(publish, using=self.alias, robust=True)

    def record(self, planned_id: str, document: Callable[[], bytes]) -> Callable[[], None] | None:
        """Write an entry of the outbox, if the site has one."""
        return outbox.record(self.alias, planned_id, document()) if _settings().outbox else None


class DjangoTransactions:
    """The transactions of this thread's connections."""

    def open(self, using: str | None) -> Transaction | None:
        """Return the transaction of a database, or without a name the only one, if settings have triggers wait."""
        if using is None:
            return self.open_anywhere() if any(_in_atomic()) and _settings().on_commit else None
        try:
            connection: Any = connections[using]
        except ConnectionDoesNotExist:
            hint = did_you_mean(using, list(connections), "databases")
            raise TriggerOptionError("on_commit", using, f"There is no such database. {hint}") from None
        return DjangoTransaction(using) if _is_in_atomic(connection) else None

    def open_anywhere(self) -> Transaction | None:
        """Return the only transaction."""
        aliases = [connection.alias for connection in _in_atomic()]
        if len(aliases) > 1:
            remedy = (
                f"Transactions are open in {', '.join(sorted(aliases))}: name the one to wait for, "
                f"on_commit={aliases[0]!r}, or use on_commit=False."
            )
            raise TriggerOptionError("on_commit", None, remedy)
        return DjangoTransaction(aliases[0]) if aliases else None


def _in_atomic() -> list[Any]:
    return [connection for connection in connections.all(initialized_only=True) if _is_in_atomic(connection)]


def _is_in_atomic(connection: Any) -> bool:
    """Whether the program has opened a block. Those that ``TestCase`` puts around each test are none of its own."""
    if not connection.in_atomic_block:
        return False
    blocks = cast("list[Any]", connection.atomic_blocks)
    return not all(getattr(block, "_from_testcase", False) for block in blocks)


@cache
def _settings() -> Settings:
    """Return the settings. Read once, as all are."""
    return Settings.read()


def _forget(setting: str = "", **_: object) -> None:
    """Read the setting again after ``override_settings`` of a test."""
    if setting == NAME:
        _settings.cache_clear()


setting_changed.connect(_forget, dispatch_uid="taskflow.on_commit")
