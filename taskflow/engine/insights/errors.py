"""The engine behind groups of errors."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from taskflow.engine.caller import caller
from taskflow.engine.insights.audit import AuditEngine
from taskflow.engine.lookup import Lookup
from taskflow.errors import ErrorGroupNotFoundError
from taskflow.seams.error_groups import VERBS, ErrorGroup, ErrorState


class ErrorEngine:
    """Reads the groups of the history's errors, and sets their states. Blocking: coroutines call it in a thread.

    Without a history there are none. Every method raises ``HistoryUnavailableError`` when the database does not answer.
    """

    def __init__(self, lookup: Lookup, audit: AuditEngine) -> None:
        self._lookup, self._audit = lookup, audit

    def list(self, since: datetime, until: datetime, most: int = 24) -> Sequence[ErrorGroup]:
        """Return the groups that failed in a period, the newest failure first, at most 500.

        Args:
            most: About how many bars each group has.
        """
        reader = self._lookup.reader()
        if reader is None:
            return ()
        from taskflow.history.error_reader import groups_of

        return groups_of(reader, since, until, most)

    def find(self, group_id: str, since: datetime, until: datetime, most: int = 96) -> ErrorGroup | None:
        """Return one group with its counts of a period, None when there is no such group."""
        reader = self._lookup.reader()
        if reader is None:
            return None
        from taskflow.history.error_reader import groups_of

        return next(iter(groups_of(reader, since, until, most, [group_id])), None)

    def retrieve(self, group_id: str, since: datetime, until: datetime) -> ErrorGroup:
        """Return one group with its counts of a period.

        Raises:
            ErrorGroupNotFoundError: No such group.
        """
        group = self.find(group_id, since, until)
        if group is None:
            raise ErrorGroupNotFoundError(group_id)
        return group

    def change(self, group_id: str, state: ErrorState, resolved_in: str | None = None, reason: str = "") -> None:
        """Open, mute or resolve a group in the caller's name, and keep that this was done.

        Raises:
            ErrorGroupNotFoundError: No such group.
        """
        if not self.set_state(group_id, state, caller(), resolved_in):
            raise ErrorGroupNotFoundError(group_id)
        self._audit.keep(caller(), f"error.{VERBS[state]}", group_id, reason=reason)

    async def alist(self, since: datetime, until: datetime) -> Sequence[ErrorGroup]:
        """``list`` for event loops."""
        return await asyncio.to_thread(self.list, since, until)

    async def aretrieve(self, group_id: str, since: datetime, until: datetime) -> ErrorGroup:
        """``retrieve`` for event loops."""
        return await asyncio.to_thread(self.retrieve, group_id, since, until)

    async def achange(self, group_id: str, state: ErrorState, resolved_in: str | None = None, reason: str = "") -> None:
        """``change`` for event loops."""
        await asyncio.to_thread(self.change, group_id, state, resolved_in, reason)

    def changed_since(self, since: datetime) -> Sequence[ErrorGroup]:
        """Return the open groups that are new or came back since an instant, without their counts."""
        reader = self._lookup.reader()
        if reader is None:
            return ()
        from taskflow.history.error_reader import changed_since

        return changed_since(reader, since)

    def last_change(self) -> Sequence[int]:
        """Return numbers that differ once a group has failed again, or its state was set; none without a history."""
        reader = self._lookup.reader()
        if reader is None:
            return ()
        from taskflow.history.error_reader import last_change

        return last_change(reader)

    def count_new(self, since: datetime) -> int:
        """Return how many open groups failed for the first time since an instant."""
        reader = self._lookup.reader()
        if reader is None:
            return 0
        from taskflow.history.error_reader import count_new

        return count_new(reader, since)

    def set_state(self, group_id: str, state: ErrorState, by: str, resolved_in: str | None = None) -> bool:
        """Open, mute or resolve a group. Return whether there is such a group.

        Args:
            by: The person.
            resolved_in: The version that has the error no more: failures of older versions leave it resolved.
        """
        reader = self._lookup.reader()
        if reader is None:
            return False
        from taskflow.history.error_reader import set_state

        return set_state(reader, group_id, state, datetime.now(UTC), by, resolved_in)
