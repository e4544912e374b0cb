"""The orders of the session to its processes."""

import sys

from pydantic import BaseModel


class WorkersOrder(BaseModel):
    """Options of the workers: see those of ``taskflow worker``."""

    app: str | None
    machines: list[str]
    concurrency: int | None
    loglevel: str


class ServerOrder(BaseModel):
    """The server of one state of the code.

    Attributes:
        descriptor: The listening socket, which the process inherits.
        secret: Signs the links that sign in.
    """

    app: str | None
    descriptor: int
    secret: str


def read_order() -> str:
    """Return the order of this process, as JSON."""
    return sys.stdin.read()
