"""Entries of an outbox whose process has ended between the commit of its transaction and the making of its runs."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from taskflow.errors import ObjectStoreError, StoreUnavailableError
from taskflow.texts import message_of

log = logging.getLogger("taskflow.trigger")
GRACE: Final = timedelta(seconds=10)
"""The time that the process of a trigger has, before a worker looks at the entry."""
MOST_ATTEMPTS: Final = 10
AT_ONCE: Final = 100
_ERROR_CHARS: Final = 1000
_AWAY: Final = (StoreUnavailableError, ObjectStoreError)


class LeftEntry(NamedTuple):
    """An entry. ``attempts``: how often a worker could not make its runs, although the run store answered."""

    id: str
    document: str
    attempts: int


class Outbox(Protocol):
    """A table with entries."""

    def left(self, before: datetime) -> Sequence[LeftEntry]:
        """Return the oldest entries from before an instant with less than ``MOST_ATTEMPTS``, at most ``AT_ONCE``."""
        ...

    def delete(self, entry_id: str) -> None:
        """Delete an entry."""
        ...

    def fail(self, entry_id: str, attempts: int, error: str) -> None:
        """Note a failed attempt."""
        ...


def make_left(outbox: Outbox, make: Callable[[bytes], None]) -> int:
    """Make the runs of left entries. Returns how many entries these were.

    Args:
        make: Makes the runs of a document, none twice.

    Raises:
        StoreUnavailableError: The run store does not answer.
        ObjectStoreError: The object store does not answer.
    """
    made = 0
    for entry in outbox.left(datetime.now(UTC) - GRACE):
        try:
            make(entry.document.encode())
        except _AWAY:
            raise
        except Exception as error:
            log.exception("outbox.failed: the runs of entry %s could not be made", entry.id)
            if entry.attempts + 1 == MOST_ATTEMPTS:
                log.critical("outbox.set_aside: entry %s is not tried again until its attempts are set to 0", entry.id)
            outbox.fail(entry.id, entry.attempts + 1, message_of(error, _ERROR_CHARS))
        else:
            outbox.delete(entry.id)
            made += 1
    return made
