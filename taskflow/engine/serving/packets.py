"""The engine behind uploads of large payloads, which triggers then name by their path.

The object store has the text, the run store its address, type and digest. The sweep of objects deletes what was not
deleted when its day is over.
"""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from taskflow.engine.loops import Loop
from taskflow.objects.address import LargeValue, address_of, new_address
from taskflow.objects.large_values import LargeValues
from taskflow.store.operations.canvas import keep_value, read_value

_KIND: Final = "packet"


class Packet(NamedTuple):
    """An uploaded text and its type."""

    content: bytes
    content_type: str


class PacketEngine:
    """Keeps uploaded texts by their paths."""

    def __init__(self, loop: Callable[[], Loop], large_values: LargeValues) -> None:
        self._loop, self._large_values = loop, large_values

    async def akeep(self, path: str, packet: Packet) -> bool:
        """Keep a text. Returns False when the path has another one already; the same one is a repeat.

        Raises:
            ObjectStoreError: The object store did not take it.
        """
        store, name, digest = self._loop().store, _name(path), hashlib.sha256(packet.content).hexdigest()
        known = await store.run(read_value(_KIND, name))
        if known is not None:
            return str(json.loads(known)["digest"]) == digest
        address = new_address(f"packet-{secrets.token_hex(16)}", "payload", datetime.now(UTC))
        assert address is not None
        await asyncio.to_thread(self._large_values.write, LargeValue(address, packet.content))
        record = {"address": address.stored.decode(), "type": packet.content_type, "digest": digest}
        await store.run(keep_value(_KIND, name, json.dumps(record)))
        return True

    async def aread(self, path: str) -> Packet | None:
        """Return the text of a path, None when there is none (any more).

        Raises:
            ObjectStoreError: The object store did not return it.
        """
        known = await self._loop().store.run(read_value(_KIND, _name(path)))
        if known is None:
            return None
        record = json.loads(known)
        address = address_of(record["address"].encode())
        return Packet(await asyncio.to_thread(self._large_values.load, address.stored), record["type"])


def _name(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()
