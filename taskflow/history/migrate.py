"""Bring a database to the newest schema, once, however many workers start at the same moment."""

import logging
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text

from taskflow.errors import HistoryUnavailableError

VERSION_TABLE: Final = "taskflow_schema"
_LOCK: Final = 0x7461736B  # "task": an advisory lock is a number that nobody else in the database uses
logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)


def migrate(connection: Connection) -> None:
    """Apply the revisions that are missing, in the connection's transaction.

    On PostgreSQL under an advisory lock until the transaction ends; on SQLite the transaction itself is the lock.

    Raises:
        HistoryUnavailableError: A newer version has migrated the database beyond the revisions of this one.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    config = Config()
    config.set_main_option("script_location", "taskflow:history/migrations")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = VERSION_TABLE
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise HistoryUnavailableError(f"its schema is not one that this version knows ({error})") from error
