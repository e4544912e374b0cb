"""Large payloads and outputs: an attempt reads them before its code runs, and writes them before its outcome."""

from typing import Protocol, cast

from taskflow.errors import ObjectStoreError
from taskflow.execution.calling import Caller
from taskflow.objects.address import is_address


class ValueStore(Protocol):
    """The store of large values. It blocks, so coroutines call it in a thread."""

    def is_large(self, document: bytes) -> bool:
        """Whether a value is too large for the record."""
        ...

    def store_output(self, run_id: str, document: bytes) -> bytes:
        """Write an output and return the text for the record."""
        ...

    def load(self, stored: bytes) -> bytes:
        """Return the JSON of a stored value."""
        ...


async def loaded(caller: Caller, large_values: ValueStore | None, stored: bytes) -> bytes:
    """Return the JSON of a stored value.

    Raises:
        ObjectStoreError: It is an address, and the object there cannot be read.
    """
    if not is_address(stored):
        return stored
    if large_values is None:
        raise ObjectStoreError("return", "an object", "none is configured here", "none")
    return cast("bytes", await caller.call_ours(large_values.load, {"stored": stored}))


async def stored(caller: Caller, large_values: ValueStore, run_id: str, document: bytes) -> bytes:
    """Write a large output and return the text for the record.

    Raises:
        ObjectStoreError: The output could not be written.
    """
    return cast("bytes", await caller.call_ours(large_values.store_output, {"run_id": run_id, "document": document}))
