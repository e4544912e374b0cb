"""The watch over an embedded server: a process that stops the server when nobody has used it for an hour.

Started by path (``python -I -S idle_program.py SOCKET SECONDS``), so that it imports nothing of taskflow and little of
Python. It keeps one connection. The server is idle while this is the only one and no other was made since the last
look. The watch ends with the server, because its connection does.
"""

import io
import select
import socket
import sys
import time


def main(path: str, idle_s: float) -> None:
    """Look at the server until it has ended, or until it has been idle for so many seconds."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    replies = connection.makefile("rb")
    made_before, idle_since = -1, 0.0
    while True:
        clients = ask(connection, replies, "clients", b"connected_clients")
        made = ask(connection, replies, "stats", b"total_connections_received")
        now = time.monotonic()
        if clients > 1 or made != made_before:
            made_before, idle_since = made, now
        elif now - idle_since >= idle_s:
            connection.sendall(b"SHUTDOWN\r\n")
            return
        if select.select([connection], [], [], min(60.0, idle_s / 10))[0]:
            return  # nothing was asked, so the server has closed the connection: it has ended


def ask(connection: socket.socket, replies: io.BufferedReader, section: str, field: bytes) -> int:
    """Return a number of the server's INFO.

    Raises:
        OSError: The server has ended, or does not give this number.
    """
    connection.sendall(f"INFO {section}\r\n".encode())
    size = replies.readline()
    if size.startswith(b"$"):
        for line in replies.read(int(size[1:]) + 2).split(b"\r\n"):
            if line.startswith(field + b":"):
                return int(line[len(field) + 1 :])
    raise OSError(size)


if __name__ == "__main__":
    try:  # noqa: SIM105 - contextlib is an import
        main(sys.argv[1], float(sys.argv[2]))
    except OSError:
        pass
