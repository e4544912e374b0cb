"""Large payloads and outputs as an attempt sees them: read before its code runs, written before its outcome is."""

from typing import Protocol, cast

from taskflow.errors import ObjectStoreError
from taskflow.execution.calling import Caller
from taskflow.objects.address import is_address


class ValueStore(Protocol):
    """Where large values are. Blocking: coroutines call it in a thread."""

    def is_large(self, document: bytes) -> bool:
        """Whether a value does not stay in the record."""
        ...

    def store_output(self, run_id: str, document: bytes) -> bytes:
        """Write an output and return what the record is to hold."""
        ...

    def load(self, stored: bytes) -> bytes:
        """Return the JSON of a stored value."""
        ...


async def loaded(caller: Caller, large_values: ValueStore | None, stored: bytes) -> bytes:
    """Return the JSON of a stored value.

    Raises:
        ObjectStoreError: It is an address, and what is there can't be read.
    """
    if not is_address(stored):
        return stored
    if large_values is None:
        raise ObjectStoreError("return", "an object", "none is configured here", "none")
    return cast("bytes", await caller.call(large_values.load, {"stored": stored}))


async def stored(caller: Caller, large_values: ValueStore, run_id: str, document: bytes) -> bytes:
    """Return what the record is to hold of a large output, once it is written.

    Raises:
        ObjectStoreError: It was not taken.
    """
    return cast("bytes", await caller.call(large_values.store_output, {"run_id": run_id, "document": document}))
