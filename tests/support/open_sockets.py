"""The origin of sockets that no test closed. The collector finds such a socket in a later test, which then fails."""

import contextlib
import os
import re
import socket
import sys
from itertools import islice
from traceback import walk_stack
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection

_FRAMES = 14
_origins: dict[str, str] = {}
"""The test that connected each socket, and the lines, by local port."""


def record_origins() -> None:
    """Record the test and the lines that connect each socket from now on.

    Connections of redis-py's asyncio client name their test in the warning itself, which has no local port.
    """
    _name_tests_of_connections()
    connect = socket.socket.connect

    def recording(self: socket.socket, address: Any, /) -> None:
        try:
            connect(self, address)
        finally:
            _record(self)

    socket.socket.connect = recording  # type: ignore[assignment, method-assign]


def _name_tests_of_connections() -> None:
    connect: Any = AbstractConnection.connect
    pieces: Any = Connection.repr_pieces

    async def naming(self: Any) -> None:
        self.connected_in = os.environ.get("PYTEST_CURRENT_TEST", "no test")
        await connect(self)

    def named(self: Any) -> list[tuple[str, Any]]:
        return [*pieces(self), ("connected_in", getattr(self, "connected_in", "no test"))]

    AbstractConnection.connect = naming  # type: ignore[method-assign]
    Connection.repr_pieces = named  # type: ignore[method-assign]


def _record(connected: socket.socket) -> None:
    if connected.family != socket.AF_INET:
        return
    frames = islice(walk_stack(sys._getframe(2)), _FRAMES)  # pyright: ignore[reportPrivateUsage]
    lines = [f"  {frame.f_code.co_filename}:{line} {frame.f_code.co_name}" for frame, line in frames]
    test = os.environ.get("PYTEST_CURRENT_TEST", "no test")
    with contextlib.suppress(OSError):  # the socket was closed meanwhile
        _origins[str(connected.getsockname()[1])] = "\n".join([test, *lines])


def origins_of(text: str) -> list[str]:
    """Return the origins of the sockets that a warning names."""
    ports = dict.fromkeys(re.findall(r"laddr=\('[\d.]+', (\d+)\)", text))
    return [f"port {port}, connected in {_origins[port]}" for port in ports if port in _origins]
