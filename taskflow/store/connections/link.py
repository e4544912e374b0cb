"""One blocking connection. redis-py opens it (address, TLS, AUTH, SELECT); this module sends and reads.

Measured on Valkey 9.1 over a unix socket: redis-py's layers take 8 us of a command's CPU. A timeout of Python's sockets
calls ``poll()`` before every other call, which takes 10 us of a round trip; the kernel's own timeouts are free.
"""

import ssl
import struct
from socket import SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET, socket
from typing import Any, Final, cast

import hiredis
from redis import Connection
from redis.exceptions import ConnectionError, RedisError  # noqa: A004 - redis's class, not the builtin
from redis.exceptions import TimeoutError as StoreTimeoutError

_READ_BYTES: Final = 65536
_INCOMPLETE: Final = object()


class Link:
    """A connection that is open until ``close``. Not for two threads at once."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        """Open it. Raises redis-py's errors."""
        opened: Any = connection  # redis-py has no types here
        opened.connect()
        self._connection = opened
        self._socket: socket = opened._sock
        self._timeout = _use_kernel_timeout(self._socket, timeout)
        self._buffer = bytearray(_READ_BYTES)
        new_reader = cast("Any", hiredis).Reader  # its stub lacks notEnoughData
        parse_error = opened._parser.parse_error
        self._reader: Any = new_reader(protocolError=ConnectionError, replyError=parse_error, notEnoughData=_INCOMPLETE)

    def send(self, request: bytes) -> None:
        """Send packed commands.

        Raises:
            OSError: The connection is lost, or did not take them in time.
        """
        self._socket.sendall(request)

    def read(self, timeout: float | None = None) -> Any:
        """Return the next reply, waiting for it as long as the connection does or for ``timeout`` seconds.

        Raises:
            RedisError: The server answered with one, e.g. ResponseError; or redis-py's ConnectionError, TimeoutError.
            OSError: The connection is lost.
        """
        reply = self._reader.gets()
        while reply is _INCOMPLETE:
            self._receive(timeout)
            reply = self._reader.gets()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def fileno(self) -> int:
        """Return the socket for ``poll``."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close it. A thread that waits for a reply fails."""
        self._connection.disconnect()

    def _receive(self, timeout: float | None) -> None:
        try:
            if timeout is not None:
                self._socket.settimeout(timeout)
            try:
                size = self._socket.recv_into(self._buffer)
            finally:
                if timeout is not None:
                    self._socket.settimeout(self._timeout)
        except (BlockingIOError, TimeoutError) as late:
            raise StoreTimeoutError("No reply from the server in time") from late
        if size == 0:
            raise ConnectionError("The server closed the connection")
        self._reader.feed(self._buffer, 0, size)


def _use_kernel_timeout(connected: socket, seconds: float) -> float | None:
    """Bound every call of a socket. Returns the timeout Python is to keep: OpenSSL would ignore the kernel's."""
    if isinstance(connected, ssl.SSLSocket):
        return seconds
    timeval = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
    connected.setsockopt(SOL_SOCKET, SO_RCVTIMEO, timeval)
    connected.setsockopt(SOL_SOCKET, SO_SNDTIMEO, timeval)
    connected.settimeout(None)
    return None
