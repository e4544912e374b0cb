"""The order in which runs were made. Their records know the millisecond, in which a test can make several."""

from typing import Final

from taskflow.store.keys import EVENTS
from taskflow.store.sync_store import Store

_PAGE: Final = 10_000


def made_order(store: Store) -> dict[str, int]:
    """Return the place of each run in this order: its first event is that of its making."""
    places: dict[str, int] = {}
    after = "0"
    while entries := store.read_stream(EVENTS, after, count=_PAGE):
        for entry_id, fields in entries:
            places.setdefault(fields[1].decode(), len(places))
            after = entry_id.decode()
    return places
