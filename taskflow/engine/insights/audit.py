"""The engine behind the audit: who did what to which thing, from where, and why."""

from collections.abc import Sequence
from datetime import UTC, datetime

from taskflow.engine.lookup import Lookup
from taskflow.seams.audit import AuditEntry


class AuditEngine:
    """Keeps actions in the history, as long as runs are kept. Blocking: coroutines call it in a thread.

    Every method raises ``HistoryUnavailableError`` when the database does not answer.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def keep(self, actor: str, action: str, target: str, *, origin: str = "", reason: str = "") -> bool:
        """Keep an action. Return whether there is a history to keep it in.

        Args:
            actor: The person, the API key or the program.
            action: An object and a verb, for example ``queue.pause``.
            target: The id of the thing.
            origin: The address that the request came from.
        """
        reader = self._lookup.reader()
        if reader is None:
            return False
        from taskflow.history.audit import keep_entry

        keep_entry(reader, datetime.now(UTC), actor, origin, action, target, reason)
        return True

    def list(
        self, limit: int = 50, *, before: int | None = None, action: str | None = None, target: str | None = None
    ) -> Sequence[AuditEntry]:
        """Return actions, newest first; none without a history.

        Args:
            before: The number of an entry: only older ones are returned.
            action: ``queue`` for all actions on queues, or a whole name such as ``queue.pause``.
            target: The id of the thing. It needs the ``action``.
        """
        reader = self._lookup.reader()
        if reader is None:
            return ()
        from taskflow.history.audit import entries_of

        return entries_of(reader, limit, before, action, target)
