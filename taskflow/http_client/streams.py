"""Streams of runs over HTTP: append items, read them, and follow the stream."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from datetime import timedelta
from typing import Any

from pydantic_core import to_json

from taskflow.errors import NotOverHttpError, RunNotFoundError, ServerUnavailableError
from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, id_segment, segment
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.http_client.transport.refusals import check_event
from taskflow.http_client.transport.server_events import EventLines, Pauses, ServerEvent, event_stream, events
from taskflow.http_client.transport.tries import MOST_TRIES
from taskflow.seams.streams import StreamAddress
from taskflow.seams.waits import Waiter


class HttpStreams:
    """Appends to streams, reads and follows them."""

    def __init__(self, connection: Connection, aconnection: AsyncConnection) -> None:
        self._connection, self._aconnection = connection, aconnection

    def append(self, address: StreamAddress, documents: Sequence[bytes], *, closing: bool = False) -> int:
        """Append items at once and return how many there are now."""
        return self._connection.send(_append(address, documents, closing=closing))

    async def aappend(self, address: StreamAddress, documents: Sequence[bytes], *, closing: bool = False) -> int:
        """Append items at once and return how many there are now."""
        return await self._aconnection.send(_append(address, documents, closing=closing))

    def ask(self, address: StreamAddress, index: int, waiter: Waiter) -> None:
        """Refuse: a run asks for an item, and none executes here."""
        raise NotOverHttpError("stream.wait", self._connection.address.url)

    async def aask(self, address: StreamAddress, index: int, waiter: Waiter) -> None:
        """Refuse: a run asks for an item, and none executes here."""
        raise NotOverHttpError("stream.await_", self._connection.address.url)

    def writer(self, address: StreamAddress, claim: Callable[[], int] | None = None) -> "ItemWriter":
        """Return a writer of items, one request each."""
        return ItemWriter(self, address)

    def read(
        self, address: StreamAddress, start: int, *, timeout: timedelta | None = None, follow: bool = True
    ) -> Generator[bytes]:
        """Yield items from an index on; with ``follow`` also later ones, until the run has ended."""
        reading = _Reading(address, start, timeout, follow=follow)
        while not reading.is_over:
            try:
                with self._connection.streaming(reading.request()) as lines:
                    for event in events(lines):
                        if (item := reading.item(event)) is not None:
                            yield item
            except ConnectionError as error:
                reading.failed(error, self._connection.address.url)
            if not reading.is_over:
                time.sleep(reading.pauses.seconds())

    async def aread(
        self, address: StreamAddress, start: int, *, timeout: timedelta | None = None, follow: bool = True
    ) -> AsyncGenerator[bytes]:
        """Yield items from an index on. See ``read``."""
        reading = _Reading(address, start, timeout, follow=follow)
        while not reading.is_over:
            try:
                async with self._aconnection.streaming(reading.request()) as lines:
                    parser = EventLines()
                    async for line in lines:
                        event = parser.event(line)
                        if event and (item := reading.item(event)) is not None:
                            yield item
            except ConnectionError as error:
                reading.failed(error, self._aconnection.address.url)
            if not reading.is_over:
                await asyncio.sleep(reading.pauses.seconds())


class ItemWriter:
    """Writes items of a stream, each with a request of its own. ``put`` always asks for the flush that sends it."""

    is_dirty = False

    def __init__(self, streams: HttpStreams, address: StreamAddress) -> None:
        self._streams, self._address = streams, address
        self._documents: list[bytes] = []

    def put(self, document: bytes) -> bool:
        """Take an item. Returns that the caller must ``flush``."""
        self._documents.append(document)
        return True

    def flush(self) -> None:
        """Send what was put."""
        if documents := self._taken():
            self._streams.append(self._address, documents)

    async def aflush(self) -> None:
        """Send what was put."""
        if documents := self._taken():
            await self._streams.aappend(self._address, documents)

    def _taken(self) -> list[bytes]:
        documents, self._documents = self._documents, []
        return documents


class _Reading:
    """The position of one reader, for both shells. ``is_over``: the server has said that there are no more items."""

    def __init__(self, address: StreamAddress, start: int, timeout: timedelta | None, *, follow: bool) -> None:
        self._address, self._index, self._timeout, self._follow = address, start, timeout, follow
        self._failures = 0
        self._has_begun = self.is_over = False
        self.pauses = Pauses()

    def request(self) -> ApiRequest[None]:
        """Return the request of the next connection."""
        query = {"start": str(self._index), "follow": "true" if self._follow else "false"}
        if self._timeout is not None:
            query["timeout"] = str(self._timeout.total_seconds())
        return event_stream(_path(self._address), query)

    def item(self, event: ServerEvent) -> bytes | None:
        """Return the item of an event, None if it brings none."""
        self.pauses.connected()
        self._failures, self._has_begun = 0, True
        check_event(event)
        self.is_over = self.is_over or event.kind == "end"
        if event.kind != "item":
            return None
        self._index += 1
        return event.data.encode()

    def failed(self, error: ConnectionError, url: str) -> None:
        """Take a failed connection.

        Raises:
            ServerUnavailableError: No connection was made in several tries.
        """
        self._failures += 1
        if not self._has_begun and self._failures >= MOST_TRIES:
            raise ServerUnavailableError(url, str(error)) from error


def _append(address: StreamAddress, documents: Sequence[bytes], *, closing: bool) -> ApiRequest[int]:
    items = b",".join(documents)

    def count(document: Any) -> int:
        return int(document["count"])

    return ApiRequest(
        method="POST",
        path=_path(address),
        read=lambda answer: count(answer.document()),
        body=b'{"items":[%b],"closing":%b}' % (items, to_json(closing)),
        is_write=True,
        is_repeatable=not documents,
    )


def _path(address: StreamAddress) -> str:
    run = id_segment(address.run_id, RunNotFoundError)
    return f"{PREFIX}/runs/{run}/streams/{address.kind}/{segment(address.name)}"
