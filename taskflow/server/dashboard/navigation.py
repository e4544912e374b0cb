"""The navigation: the pages in their groups, as far as they are in the table."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the navigation. ``path`` is its page, and the first part of the path its section."""

    path: str
    name: str
    icon: str

    @property
    def section(self) -> str:
        """The first part of the path."""
        return self.path.partition("/")[0]


_GROUPS: Final[Sequence[tuple[str, Sequence[Entry]]]] = (
    (
        "Work",
        (
            Entry("runs", "Runs", "i-runs"),
            Entry("tasks", "Tasks", "i-tasks"),
            Entry("test", "Test", "i-test"),
            Entry("batches", "Batches", "i-batches"),
            Entry("errors", "Errors", "i-errors"),
        ),
    ),
    (
        "Flow",
        (
            Entry("queues", "Queues", "i-queues"),
            Entry("schedules", "Schedules", "i-schedules"),
            Entry("webhooks/deliveries", "Webhooks", "i-webhooks"),
            Entry("tokens", "Tokens", "i-tokens"),
        ),
    ),
    (
        "System",
        (
            Entry("workers", "Workers", "i-workers"),
            Entry("alerts", "Alerts", "i-alerts"),
            Entry("keys", "API keys", "i-keys"),
        ),
    ),
)


def groups(known: Set[str]) -> Sequence[tuple[str, Sequence[Entry]]]:
    """Return the groups of entries whose pages are among the known paths."""
    found = [(title, [entry for entry in entries if entry.path in known]) for title, entries in _GROUPS]
    return [(title, entries) for title, entries in found if entries]
