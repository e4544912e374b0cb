"""Commands and replies over one blocking connection. ``Store`` repeats an exchange when the connection is lost."""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from taskflow.errors import StoreUnavailableError
from taskflow.store.connections import scripts
from taskflow.store.connections.failures import failure
from taskflow.store.connections.link import Link
from taskflow.store.connections.pools import packed
from taskflow.store.operations.operation import Operation


def call(connection: Link, request: bytes, operation: Operation[Any] | None) -> Any:
    """Send one packed command and return its reply, or raise it when it is an error. Loads an unknown function once."""
    connection.send(request)
    try:
        return connection.read()
    except ResponseError as error:
        if operation is None or not scripts.is_unknown(error):
            raise
    (loaded,) = exchange(connection, [scripts.script(operation.script).load])
    if isinstance(loaded, NoPermissionError):  # else another client may have been first
        raise loaded
    connection.send(request)
    return connection.read()


def ask(connection: Link, question: Sequence[Any]) -> list[Any]:
    """Send the question of ``Replicas`` and return its answers.

    Raises:
        StoreUnavailableError: The server refuses it, for example as a former master. Trying again helps.
    """
    answers = exchange(connection, question)
    for answer in answers:
        if isinstance(answer, ResponseError):
            raise failure(answer, None, may_exist=True) from answer
    return answers


def exchange(connection: Link, commands: Sequence[Any]) -> list[Any]:
    """Send commands in one write and return their replies, errors among them."""
    connection.send(packed(*commands))
    return read_replies(connection, len(commands))


def read_replies(connection: Link, count: int) -> list[Any]:
    """Read replies; an error stands in its place."""
    replies: list[Any] = []
    for _ in range(count):
        try:
            replies.append(connection.read())
        except ResponseError as error:
            replies.append(error)
    return replies


def reply_or_error(reply: Any, operation: Operation[Any]) -> Any:
    """Return a reply, or our error for one that the server answered.

    Raises:
        StoreUnavailableError: The server is away, so all operations fail.
    """
    if not isinstance(reply, ResponseError):
        return reply
    error = failure(reply, operation, may_exist=True)
    if isinstance(error, StoreUnavailableError):
        raise error from reply
    return error
