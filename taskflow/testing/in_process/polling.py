"""The news that the store has for the node of a test: messages of the broker, its inbox, and what is due."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from taskflow.broker.taken_messages import lists_of
from taskflow.store.keys import inbox_of_node
from taskflow.store.operations.nodes import InboxEntry, inbox_entry
from taskflow.store.sync_store import Store
from taskflow.testing.timers import StoreTimers, earliest

_AT_ONCE: Final = 100


@dataclass(slots=True)
class Polled:
    """The news of one look."""

    messages: list[bytes] = field(default_factory=list[bytes])
    inbox: list[InboxEntry] = field(default_factory=list[InboxEntry])
    is_due: bool = False


class Polling:
    """Looks into the store, in one round trip. Each message is found once.

    Args:
        queues: The Celery queues whose messages are taken.
    """

    def __init__(self, store: Store, timers: StoreTimers, node_id: str, queues: Sequence[str]) -> None:
        self._store, self._timers = store, timers
        self._inbox = f"{store.config.base(0)}:{inbox_of_node(node_id)}"
        self._lists = [name for queue in queues for name in lists_of(queue)]
        self._seen = "0"

    def look(self, now: datetime) -> Polled:
        """Take what is there."""
        taken, inboxes, *heads = self._store.send(
            [
                ("LMPOP", len(self._lists), *self._lists, "RIGHT", "COUNT", _AT_ONCE),
                ("XREAD", "COUNT", _AT_ONCE, "STREAMS", self._inbox, self._seen),
                *self._timers.heads(),
            ]
        )
        due = earliest(heads)
        inbox = [inbox_entry(entry_id, fields) for entry_id, fields in inboxes[0][1]] if inboxes else []
        self._seen = inbox[-1].id if inbox else self._seen
        return Polled(list(taken[1]) if taken else [], inbox, is_due=due is not None and due <= now)
