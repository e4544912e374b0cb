"""Commands and replies over one blocking connection. ``Store`` repeats an exchange when the connection is lost."""

from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from taskflow.errors import StoreUnavailableError
from taskflow.store.connections import scripts
from taskflow.store.connections.failures import failure
from taskflow.store.connections.link import Link
from taskflow.store.connections.pools import packed
from taskflow.store.operations.operation import Operation


def call(connection: Link, command: tuple[Any, ...], operation: Operation[Any] | None) -> Any:
    """Send one command and return its reply, or raise it when it is an error. Loads an unknown function once."""
    connection.send(packed(command))
    try:
        return connection.read()
    except ResponseError as error:
        if operation is None or not scripts.is_unknown(error):
            raise
    unknown = scripts.script(operation.script)
    (loaded,) = exchange(connection, [unknown.load])
    connection.send(packed(unknown.again(command, loaded)))
    return connection.read()


def commands_again(
    operations: Sequence[Operation[Any] | None], commands: Sequence[Any], loads: Mapping[str, object]
) -> list[Any]:
    """Return the commands to send again after the functions of their operations were loaded.

    Args:
        loads: The server's reply to each script's load.

    Raises:
        StoreUnavailableError: The server did not load one.
    """
    try:
        return [
            scripts.script(operation.script).again(command, loads[operation.script]) if operation else command
            for operation, command in zip(operations, commands, strict=True)
        ]
    except ResponseError as refused:
        raise failure(refused, None, may_exist=False) from refused


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
