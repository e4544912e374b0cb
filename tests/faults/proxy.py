"""A TCP proxy between workers and a server. It can delay, stall and drop connections, and lose replies."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from tests.support.servers import HOST

CHUNK = 1 << 16
POLL_SECONDS = 0.02


class Proxy:
    """A proxy that listens on a port of its own until it is closed. Two threads a connection, which end with it.

    Attributes:
        delay: Seconds that every piece waits, in both directions.
        is_stalled: Whether nothing passes. Connections stay open.
        stalls_replies: Whether no reply passes, while commands do and are executed.
        loses_replies: Whether a reply is lost and its connection closed. The command was executed.
        refuses: Whether new connections are closed at once.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay = 0.0
        self.is_stalled = False
        self.stalls_replies = False
        self.loses_replies = False
        self.refuses = False
        self._listener = socket.create_server((HOST, 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._is_closed = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    def drop(self) -> None:
        """Close every connection, at once and without a reply."""
        with self._lock:
            for end in self._open:
                _end(end)

    def heal(self) -> None:
        """Let everything pass at once again."""
        self.delay, self.is_stalled, self.loses_replies, self.refuses = 0.0, False, False, False
        self.stalls_replies = False

    def close(self) -> None:
        """Stop listening, close every connection and wait until all its threads have ended."""
        self._is_closed = True
        _end(self._listener)
        self.drop()
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=f"proxy-{self.target}", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def _serve(self) -> None:
        with self._listener, contextlib.suppress(OSError):  # the socket was shut down
            while not self._is_closed:
                client, _ = self._listener.accept()
                self._accept(client)

    def _accept(self, client: socket.socket) -> None:
        try:
            server = None if self.refuses else socket.create_connection((HOST, self.target), timeout=5)
        except OSError:
            server = None
        if server is None:
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            self._open |= {client, server}
            if self._is_closed:  # drop() ran before this connection was registered
                _end(client)
        self._start(self._carry, client, server)

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        """Pass both directions of a connection until one of them ends."""
        replies = threading.Thread(target=self._pass, args=(server, client), kwargs={"is_reply": True}, daemon=True)
        replies.start()
        self._pass(client, server, is_reply=False)
        replies.join()
        with self._lock:
            self._open -= {client, server}
        client.close()
        server.close()

    def _pass(self, source: socket.socket, sink: socket.socket, *, is_reply: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(CHUNK):
                if self.delay:
                    time.sleep(self.delay)
                while (self.is_stalled or (is_reply and self.stalls_replies)) and not self._is_closed:
                    time.sleep(POLL_SECONDS)
                if is_reply and self.loses_replies:
                    break
                sink.sendall(piece)
        _end(source)
        _end(sink)


def _end(end: socket.socket) -> None:
    """Shut a socket down, so that the thread that blocks on it goes on and closes it."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def through(proxy: Proxy, url: str) -> str:
    """Return a server's URL with the proxy's address instead of the server's."""
    parts = urlsplit(url)
    user = f"{parts.username}:{parts.password}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=f"{user}{HOST}:{proxy.port}"))
