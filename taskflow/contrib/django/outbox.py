"""The outbox: a table of the site, in which a trigger stands from its transaction until its run is made.

The process that has committed makes the run and deletes the entry. When it is killed in between, a worker does both.
A run has its id from the start, so that no entry makes it twice.
"""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from django.apps import apps
from django.db import DatabaseError, connections, router
from django.utils import timezone

from taskflow.errors import ObjectStoreError, StoreUnavailableError
from taskflow.texts import message_of

log = logging.getLogger("taskflow.trigger")
GRACE: Final = timedelta(seconds=10)
"""The time that the process of a trigger has, before a worker looks at the entry."""
MOST_ATTEMPTS: Final = 10
_AT_ONCE: Final = 100
_ERROR_CHARS: Final = 1000
_with_table: Final[set[str]] = set()
_AWAY: Final = (StoreUnavailableError, ObjectStoreError)


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
                made += _sweep(alias, make) if _has_table(alias) else 0
            except DatabaseError as error:
                log.error("outbox.unswept: database %s: %s", alias, error)
    return made


def _has_table(alias: str) -> bool:
    """Whether there is the table. A site may write with taskflow in one of its databases only."""
    connection: Any = connections[alias]
    if alias not in _with_table and _model()._meta.db_table in connection.introspection.table_names():
        _with_table.add(alias)
    return alias in _with_table


def _sweep(alias: str, make: Callable[[bytes], None]) -> int:
    entries = _entries(alias)
    left = entries.filter(created__lt=timezone.now() - GRACE, attempts__lt=MOST_ATTEMPTS).order_by("created")
    made = 0
    for entry in left[:_AT_ONCE]:
        try:
            make(entry.document.encode())
        except _AWAY:
            raise
        except Exception as error:
            log.exception("outbox.failed: the runs of entry %s could not be made", entry.id)
            if entry.attempts + 1 == MOST_ATTEMPTS:
                log.critical("outbox.set_aside: entry %s is not tried again until its attempts are set to 0", entry.id)
            changed = {"attempts": entry.attempts + 1, "error": message_of(error, _ERROR_CHARS)}
            entries.filter(pk=entry.id).update(**changed)
        else:
            entries.filter(pk=entry.id).delete()
            made += 1
    return made


def _forget(alias: str, planned_id: str) -> None:
    """Delete an entry whose run is made. Never raises: a worker finds one that stays."""
    try:
        with _own_connection(alias):
            _entries(alias).filter(pk=planned_id).delete()
    except DatabaseError as error:
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
