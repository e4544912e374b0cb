"""Keep and read what people and programs did."""

from datetime import datetime
from typing import Final, cast

from sqlalchemy import Connection, Table, insert, select

from taskflow.history.reader import Reader
from taskflow.history.rows import clean, milliseconds
from taskflow.history.schema import AuditRow
from taskflow.seams.audit import AuditEntry
from taskflow.store.operations.encoding import instant
from taskflow.texts import cut

AUDIT = cast("Table", AuditRow.__table__)
_LONGEST: Final = 600
"""Characters of an entry's texts. A target is in an index, whose rows PostgreSQL takes up to 2,704 bytes."""


def keep_entry(reader: Reader, at: datetime, actor: str, origin: str, action: str, target: str, reason: str) -> None:
    """Keep an action. Long texts are cut: the target of an action on many runs may be all of their ids.

    Raises:
        HistoryUnavailableError: The history's database did not answer. Nothing was written.
    """
    texts = {"actor": actor, "origin": origin, "action": action, "target": target, "reason": reason}
    row = {name: _kept(text) for name, text in texts.items()} | {"kind": _kind(action)}
    row |= {"environment": reader.environment}
    reader.change(lambda connection: connection.execute(insert(AUDIT).values(**row, at=milliseconds(at))))


def entries_of(
    reader: Reader, limit: int, before: int | None = None, action: str | None = None, target: str | None = None
) -> list[AuditEntry]:
    """Return actions, newest first.

    Args:
        before: The number of an entry: only older ones are returned.
        action: The beginning of their names, up to a dot: ``queue`` for all actions on queues; or a whole name.
        target: The id of the thing. It needs the ``action``, which says of what kind it is.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    own = [AUDIT.c.environment == reader.environment]
    if before is not None:
        own.append(AUDIT.c.number < before)
    if action is not None:
        own.append(AUDIT.c.kind == _kind(action))
        own += [AUDIT.c.action == clean(action)] if "." in action else []
    if target is not None:
        own.append(AUDIT.c.target == _kept(target))

    def look(connection: Connection) -> list[AuditEntry]:
        listing = select(AUDIT).where(*own).order_by(AUDIT.c.number.desc()).limit(limit)
        return [
            AuditEntry(row.number, instant(row.at), row.actor, row.origin, row.action, row.target, row.reason)
            for row in connection.execute(listing)
        ]

    return reader.read_saved(look, [])


def _kept(text: str) -> str:
    return cut(clean(text), _LONGEST)


def _kind(action: str) -> str:
    return clean(action.partition(".")[0])
