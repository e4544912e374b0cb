"""The documents of a run as they were sent: payload, output, metadata. Numbers keep their digits, keys their order."""

import asyncio
from dataclasses import dataclass
from typing import Final

from taskflow.engine.lookup import Lookup
from taskflow.objects.address import is_address
from taskflow.objects.large_values import LargeValues
from taskflow.store.events import read_record
from taskflow.store.sync_store import Store
from taskflow.store.wire import locate

NAMES: Final = ("payload", "output", "metadata")


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One document.

    Attributes:
        text: Its JSON; b"" if it is a large value, which stands in the object store.
        is_large: Whether it is one.
    """

    text: bytes
    is_large: bool = False


class Documents:
    """Reads the documents of runs."""

    def __init__(self, store: Store, lookup: Lookup, large_values: LargeValues) -> None:
        self._store, self._lookup, self._large_values = store, lookup, large_values

    async def aread(self, run_id: str) -> dict[str, StoredDocument]:
        """Return a run's documents by their names, without those that it does not have.

        Raises:
            StoreUnavailableError, HistoryUnavailableError: The store or the history did not answer.
        """
        stored = await asyncio.to_thread(self._stored, run_id)
        return {
            name: StoredDocument(b"", is_large=True) if is_address(text) else StoredDocument(text)
            for name, text in stored.items()
        }

    async def aload(self, run_id: str, name: str) -> bytes | None:
        """Return the JSON of one document, also of a large one; None when the run does not have it.

        Raises:
            StoreUnavailableError, HistoryUnavailableError: The store or the history did not answer.
        """
        text = (await asyncio.to_thread(self._stored, run_id)).get(name)
        if text is None or not is_address(text):
            return text
        return await asyncio.to_thread(self._large_values.load, text)

    def _stored(self, run_id: str) -> dict[str, bytes]:
        for shard in locate(run_id, self._store.config.shards):
            record = self._store.run(read_record(run_id), shard=shard)
            if record is not None:
                return {name: record[name] for name in NAMES if name in record}
        return dict(self._lookup.documents(run_id))
