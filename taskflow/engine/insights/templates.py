"""The engine behind the page of tests: saved templates, and the newest payloads of a task."""

from collections.abc import Sequence
from datetime import UTC, datetime

from taskflow.engine.lookup import Lookup
from taskflow.seams.audit import RecentPayload, Template


class TemplateEngine:
    """Keeps templates in the history. Blocking: coroutines call it in a thread.

    Without a history there are none. Every method raises ``HistoryUnavailableError`` when the database does not answer.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def save(self, task_id: str, name: str, document: str, by: str) -> bool:
        """Save a template, also in place of one of the same name. Return whether there is a history to save it in.

        Args:
            document: JSON.
        """
        reader = self._lookup.reader()
        if reader is None:
            return False
        from taskflow.history.templates import keep_template

        keep_template(reader, task_id, name, document, datetime.now(UTC), by)
        return True

    def drop(self, task_id: str, name: str) -> bool:
        """Delete a template. Return whether there was one."""
        reader = self._lookup.reader()
        if reader is None:
            return False
        from taskflow.history.templates import drop_template

        return drop_template(reader, task_id, name)

    def list(self, task_id: str) -> Sequence[Template]:
        """Return the templates of a task, by name."""
        reader = self._lookup.reader()
        if reader is None:
            return ()
        from taskflow.history.templates import templates_of

        return templates_of(reader, task_id)

    def recent_payloads(self, task_id: str, limit: int = 10) -> Sequence[RecentPayload]:
        """Return the payloads of a task's newest runs that the history has, the newest first."""
        reader = self._lookup.reader()
        if reader is None:
            return ()
        from taskflow.history.templates import recent_payloads

        return recent_payloads(reader, task_id, limit)
