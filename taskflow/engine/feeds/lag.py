"""The lag of the history behind the store."""

from dataclasses import dataclass
from datetime import timedelta

from taskflow.store.events import EventGroup, GroupMissingError, read_set_aside
from taskflow.store.sync_store import Store


@dataclass(frozen=True, slots=True)
class FeedLag:
    """The number of entries that are not in the history yet, and the age of the oldest (zero when there is none).

    Attributes:
        set_aside: The number of runs that could not be written.
    """

    entries: int
    age: timedelta
    set_aside: int = 0


def feed_lag(store: Store) -> FeedLag | None:
    """Return the lag over all shards, None where no worker has begun to feed.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    entries, oldest, set_aside = 0, timedelta(0), 0
    for shard in range(store.config.shards):
        group = EventGroup(store, shard)
        try:
            state = group.state()
            now, written = group.oldest_ms()
        except GroupMissingError:
            return None
        entries += state.lag + state.pending
        set_aside += read_set_aside(store, shard)
        if written:
            oldest = max(oldest, timedelta(milliseconds=now - written))
    return FeedLag(entries, oldest, set_aside)
