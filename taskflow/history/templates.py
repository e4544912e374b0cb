"""Keep and read the tests of tasks: templates that people have saved, and the payloads of their newest runs."""

from datetime import datetime
from typing import cast

from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from taskflow.history.reader import Reader
from taskflow.history.rows import clean, milliseconds
from taskflow.history.schema import TemplateRow
from taskflow.history.writer import RUNS
from taskflow.seams.audit import RecentPayload, Template
from taskflow.store.operations.encoding import instant

TEMPLATES = cast("Table", TemplateRow.__table__)


def keep_template(reader: Reader, task_id: str, name: str, document: str, at: datetime, by: str) -> None:
    """Save a template, also in place of one of the same name.

    Raises:
        HistoryUnavailableError: The history's database did not answer. Nothing was written.
    """
    key = {"environment": reader.environment, "task_id": clean(task_id), "name": clean(name)}
    row = {"document": clean(document), "saved": milliseconds(at), "saved_by": clean(by)}

    def write(connection: Connection) -> None:
        kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        saved = kind(TEMPLATES).values(**key, **row)
        connection.execute(saved.on_conflict_do_update(index_elements=TEMPLATES.primary_key, set_=row))

    reader.change(write)


def drop_template(reader: Reader, task_id: str, name: str) -> bool:
    """Delete a template. Return whether there was one.

    Raises:
        HistoryUnavailableError: The history's database did not answer. Nothing was written.
    """
    own = (
        TEMPLATES.c.environment == reader.environment,
        TEMPLATES.c.task_id == clean(task_id),
        TEMPLATES.c.name == clean(name),
    )
    return reader.change(lambda connection: connection.execute(delete(TEMPLATES).where(*own)).rowcount > 0)


def templates_of(reader: Reader, task_id: str) -> list[Template]:
    """Return the templates of a task, by name.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    own = (TEMPLATES.c.environment == reader.environment, TEMPLATES.c.task_id == clean(task_id))

    def look(connection: Connection) -> list[Template]:
        rows = connection.execute(select(TEMPLATES).where(*own).order_by(TEMPLATES.c.name))
        return [Template(row.task_id, row.name, row.document, instant(row.saved), row.saved_by) for row in rows]

    return reader.read_saved(look, [])


def recent_payloads(reader: Reader, task_id: str, limit: int) -> list[RecentPayload]:
    """Return the payloads of a task's newest runs that the history has, the newest first.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    columns = (RUNS.c.id, RUNS.c.status, RUNS.c.created, RUNS.c.payload)
    own = (RUNS.c.environment == reader.environment, RUNS.c.task_id == clean(task_id))
    listing = select(*columns).where(*own).order_by(RUNS.c.created.desc(), RUNS.c.id.desc()).limit(limit)

    def look(connection: Connection) -> list[RecentPayload]:
        rows = connection.execute(listing)
        return [RecentPayload(row.id, row.status, instant(row.created), row.payload or "null") for row in rows]

    return reader.read(look, [])
