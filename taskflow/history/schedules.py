"""Copies of the schedules that programs have made, so that an emptied store gets them back."""

from collections.abc import Mapping, Sequence
from typing import cast

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from taskflow.history.database import Database
from taskflow.history.rows import clean
from taskflow.history.schema import ScheduleRow

SCHEDULES = cast("Table", ScheduleRow.__table__)


class ScheduleRows:
    """The copies of one environment's schedules. The documents are opaque here."""

    def __init__(self, database: Database, environment: str) -> None:
        self._database, self._environment = database, environment

    def write(self, documents: Mapping[str, str], gone: Sequence[str]) -> None:
        """Keep documents by their ids, and delete others, in one transaction.

        Raises:
            HistoryUnavailableError: The database did not answer. Nothing was written.
        """
        rows = [
            {"environment": self._environment, "id": each, "document": clean(document)}
            for each, document in sorted(documents.items())
        ]
        kind = postgresql.insert if not self._database.is_sqlite else sqlite.insert
        insert = kind(SCHEDULES)
        new = {"document": insert.excluded.document}
        with self._database.writing() as connection:
            if rows:
                keys = SCHEDULES.primary_key
                connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=new), rows)
            if gone:
                mine = (ScheduleRow.environment == self._environment, ScheduleRow.id.in_(list(gone)))
                connection.execute(delete(ScheduleRow).where(*mine))

    def read(self, prefix: str, after: str = "", count: int = 500) -> dict[str, str]:
        """Return documents by their ids, in the order of the ids that begin with a prefix.

        Raises:
            HistoryUnavailableError: The database did not answer.
        """
        wanted = (ScheduleRow.environment == self._environment, ScheduleRow.id > (after or prefix))
        listing = select(ScheduleRow.id, ScheduleRow.document).where(*wanted).order_by(ScheduleRow.id).limit(count)
        with self._database.reading() as connection:
            return {each: document for each, document in connection.execute(listing) if each.startswith(prefix)}
