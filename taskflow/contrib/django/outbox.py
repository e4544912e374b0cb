"""The outbox: a table of the site, in which a trigger stands from its transaction until its run is made.

The process that has committed makes the run and deletes the entry. When it is killed in between, a worker does both.
A run has its id from the start, so that no entry makes it twice.
"""

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from django.apps import apps
from django.db import DatabaseError, Error, connections, router
from django.utils import timezone

from taskflow.verbs.left_triggers import AT_ONCE, MOST_ATTEMPTS, LeftEntry, make_left

log = logging.getLogger("taskflow.trigger")
_with_table: Final[set[str]] = set()


def record(alias: str, planned_id: str, document: bytes) -> Callable[[], None]:
    """Write an entry in the open transaction of a database. Returns what deletes it."""
    entry = _model()(id=planned_id, document=document.decode(), created=timezone.now())
    try:
        _entries(alias).bulk_create([entry])  # without signals
    except DatabaseError as error:
        error.add_note(
            f"taskflow could not write trigger {planned_id} into its outbox, because TASKFLOW['OUTBOX'] is on. Is its "
            f"table there? manage.py migrate taskflow --database {alias}"
        )
        raise
    return lambda: _forget(alias, planned_id)


def sweep(make: Callable[[bytes], None]) -> int:
    """Make the runs of entries whose process has not done so in time. Returns how many entries these were.

    Raises:
        StoreUnavailableError: The run store does not answer.
    """
    made = 0
    for alias in connections:
        if not router.allow_migrate_model(alias, _model()):
            continue
        with _own_connection(alias):
            try:
                made += make_left(_Table(alias), make) if _has_table(alias) else 0
            except Error as error:
                log.error("outbox.unswept: database %s: %s", alias, error)
    return made


class _Table:
    """The table in one database."""

    def __init__(self, alias: str) -> None:
        self._entries = _entries(alias)

    def left(self, before: datetime) -> Sequence[LeftEntry]:
        """Return entries that were left."""
        found = self._entries.filter(created__lt=before, attempts__lt=MOST_ATTEMPTS).order_by("created")
        return [LeftEntry(*row) for row in found.values_list("id", "document", "attempts")[:AT_ONCE]]

    def delete(self, entry_id: str) -> None:
        """Delete an entry."""
        self._entries.filter(pk=entry_id).delete()

    def fail(self, entry_id: str, attempts: int, error: str) -> None:
        """Note a failed attempt."""
        self._entries.filter(pk=entry_id).update(attempts=attempts, error=error)


def _has_table(alias: str) -> bool:
    """Whether there is the table. A site may write with taskflow in one of its databases only."""
    connection: Any = connections[alias]
    if alias not in _with_table and _model()._meta.db_table in connection.introspection.table_names():
        _with_table.add(alias)
    return alias in _with_table


def _forget(alias: str, planned_id: str) -> None:
    """Delete an entry whose run is made. Never raises: a worker finds one that stays."""
    try:
        with _own_connection(alias):
            _Table(alias).delete(planned_id)
    except Error as error:  # also an InterfaceError, of a connection that the server has closed
        log.info("outbox.kept: entry %s could not be deleted: %s", planned_id, error)


def _model() -> Any:
    """Return ``OutboxEntry``, whose module can't be imported before the apps are."""
    return apps.get_model("taskflow", "OutboxEntry")


def _entries(alias: str) -> Any:
    return _model().objects.using(alias)


@contextmanager
def _own_connection(alias: str) -> Generator[None]:
    """Close the connection afterwards if the calling thread had none, because nobody else would."""
    connection: Any = connections[alias]
    was_open = connection.connection is not None
    try:
        yield
    finally:
        if not was_open:
            connection.close()
