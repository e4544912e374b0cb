"""Heads of requests, within a size and a time: uvicorn's protocol would hold as much as a client sends."""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LARGEST: Final = 128 * 1024
_SECONDS: Final = 30.0


class BoundedHeads(HttpToolsProtocol):
    """Closes connections whose request line and headers are too large, or do not end in time."""

    _size = 0
    _timer: asyncio.TimerHandle | None = None
    """Set while a head is to come."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in the class itself
        """Wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._have_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take data. What a head has beyond the limit is at most what came at once."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._timer is not None:
            self._size += len(data)
            if self._size > _LARGEST:
                self._have_head()
                self.send_400_response(f"The head of the request has more than {_LARGEST:,} bytes.")

    def on_message_begin(self) -> None:
        """Wait for a head that has begun."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """Take a head."""
        self._have_head()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._have_head()
        self._timer = self.loop.call_later(_SECONDS, self.transport.close)

    def _have_head(self) -> None:
        self._size = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
