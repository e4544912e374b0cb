"""The socket of the server: bound once, so that the port stays the session's while servers are exchanged."""

import errno
import socket
from typing import Final

from taskflow.errors import SettingsError

HOST: Final = "127.0.0.1"
FIRST_PORT: Final = 8787
_MOST_PORTS: Final = 50


def listen(port: int | None) -> socket.socket:
    """Listen at a port of the loopback address; without one, at the first free one from 8787 on.

    Raises:
        SettingsError: The port is taken, or none is free.
    """
    for each in (port,) if port is not None else range(FIRST_PORT, FIRST_PORT + _MOST_PORTS):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, each))
            listener.listen(1024)
        except OSError as refused:
            listener.close()
            if port is not None or refused.errno != errno.EADDRINUSE:
                why = f"The dashboard can't listen at {HOST}:{each}: {refused.strerror}."
                raise SettingsError(f"{why} Choose another --port, or leave it out for the next free one.") from None
            continue
        return listener
    last = FIRST_PORT + _MOST_PORTS - 1
    raise SettingsError(f"The ports from {FIRST_PORT} to {last} are taken. Choose a --port that is free.")
