"""The outbox: a table of the program, in which a trigger stands from its transaction until its run is made.

The process that has committed makes the run and deletes the entry. When it is killed in between, a worker does both.
A run has its id from the start, so that no entry makes it twice.
"""

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from taskflow.verbs.left_triggers import AT_ONCE, MOST_ATTEMPTS, LeftEntry, make_left

log = logging.getLogger("taskflow.trigger")
NAME: Final = "taskflow_outbox"
OutboxTable = Table
"""The table of an outbox."""


def outbox_table(metadata: MetaData, *, name: str = NAME, schema: str | None = None) -> Table:
    """Declare the table of an outbox, for ``follow(sessions, outbox=...)`` and for your migrations.

    Args:
        metadata: That of the program's own tables, in whose database the triggers' transactions are.
        name: The name of the table.
        schema: Its schema.
    """
    text = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
    return Table(
        name,
        metadata,
        Column("id", String(64), primary_key=True),
        Column("document", text, nullable=False),
        Column("created", DateTime(timezone=True), nullable=False, index=True),
        Column("attempts", SmallInteger, nullable=False, default=0),
        Column("error", text, nullable=False, default=""),
        schema=schema,
    )


def record(session: Session, table: Table, planned_id: str, document: bytes) -> Callable[[], None]:
    """Write an entry in the open transaction of a session. Returns what deletes it."""
    values = {"id": planned_id, "document": document.decode(), "created": datetime.now(UTC)}
    try:
        session.connection(bind_arguments={"clause": table}).execute(insert(table).values(values))
    except SQLAlchemyError as error:
        error.add_note(
            f"taskflow could not write trigger {planned_id} into its outbox. Is the table {table.fullname!r} there? "
            "Your migrations make it, or metadata.create_all(engine)."
        )
        raise
    bind = session.get_bind(clause=table)
    return lambda: _forget(bind, table, planned_id)


def sweep(make_session: Callable[[], Session], table: Table, make: Callable[[bytes], None]) -> int:
    """Make the runs of entries whose process has not done so in time. Returns how many entries these were.

    Raises:
        StoreUnavailableError: The run store does not answer.
        SQLAlchemyError: The database does not answer, or has no such table.
    """
    with make_session() as session:
        bind = session.get_bind(clause=table)
    return make_left(_Entries(bind, table), make)


class _Entries:
    """The entries in one database. Each operation is a transaction."""

    def __init__(self, bind: Engine | Connection, table: Table) -> None:
        self._bind, self._table = bind, table

    def left(self, before: datetime) -> Sequence[LeftEntry]:
        """Return entries that were left."""
        columns: Any = self._table.c
        chosen = select(columns.id, columns.document, columns.attempts)
        old = chosen.where(columns.created < before, columns.attempts < MOST_ATTEMPTS)
        with _begun(self._bind) as connection:
            rows = connection.execute(old.order_by(columns.created).limit(AT_ONCE)).all()
        return [LeftEntry(*row) for row in rows]

    def delete(self, entry_id: str) -> None:
        """Delete an entry."""
        with _begun(self._bind) as connection:
            connection.execute(delete(self._table).where(self._table.c.id == entry_id))

    def fail(self, entry_id: str, attempts: int, error: str) -> None:
        """Note a failed attempt."""
        changed = update(self._table).where(self._table.c.id == entry_id)
        with _begun(self._bind) as connection:
            connection.execute(changed.values(attempts=attempts, error=error))


def _forget(bind: Engine | Connection, table: Table, planned_id: str) -> None:
    """Delete an entry whose run is made. Never raises: a worker finds one that stays."""
    try:
        _Entries(bind, table).delete(planned_id)
    except SQLAlchemyError as error:
        log.info("outbox.kept: entry %s could not be deleted: %s", planned_id, type(error).__name__)


@contextmanager
def _begun(bind: Engine | Connection) -> Generator[Connection]:
    """Give a connection with a transaction: a new one, or the one in which a test has put its session."""
    if isinstance(bind, Connection):
        yield bind
        return
    with bind.begin() as connection:
        yield connection
