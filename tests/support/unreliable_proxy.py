"""A TCP proxy that loses answers: it hands the request on and hangs up when the answer comes. It can also be away."""

import contextlib
import socket
import threading
from typing import Final, Self

HOST: Final = "127.0.0.1"
"""Not taken from ``servers``, which needs pytest: programs without it use the proxy."""


class UnreliableProxy:
    """Forwards connections to a port of this host.

    Attributes:
        losses: How many of the next answers are lost.
        connections: How many connections were made.
        is_away: Whether every connection is closed at once.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.losses = self.connections = 0
        self.is_away = False
        self._listener = socket.create_server((HOST, 0))
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            _hang_up(each)
        self._thread.join(5)

    def go_away(self) -> None:
        """Hang up on everybody, and on those who come, until ``is_away`` is False again."""
        self.is_away = True
        open_now, self._open = self._open, []
        for each in open_now:
            _hang_up(each)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                if self.is_away:
                    _hang_up(client)
                    continue
                server = socket.create_connection((HOST, self._to))
                self._open += [client, server]
                threading.Thread(target=self._forward, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, True), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                with self._lock:
                    is_lost = is_answer and self.losses > 0
                    self.losses -= is_lost
                if is_lost:
                    break
                target.sendall(data)
        _hang_up(source)
        _hang_up(target)


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
