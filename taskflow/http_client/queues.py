"""Queues over HTTP. Their names are parameters, because they may hold a slash."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from taskflow.errors import QueueNotFoundError
from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, get, post
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.models import QueueState
from taskflow.seams.engine import QueueCommand
from taskflow.seams.record_documents import record_of


class HttpQueues:
    """Queues by name, and the environment."""

    def __init__(self, connection: Connection, aconnection: AsyncConnection) -> None:
        self._connection, self._aconnection = connection, aconnection

    def list(self) -> Sequence[QueueState]:
        """Return every queue, by name."""
        return self._connection.send(_list())

    async def alist(self) -> Sequence[QueueState]:
        """Return every queue, by name."""
        return await self._aconnection.send(_list())

    def retrieve(self, queue: str) -> QueueState:
        """Return one queue."""
        return self._connection.send(_retrieve(queue))

    async def aretrieve(self, queue: str) -> QueueState:
        """Return one queue."""
        return await self._aconnection.send(_retrieve(queue))

    def control(self, queue: str, command: QueueCommand, limit: int | None = None, reason: str = "") -> None:
        """Change one queue."""
        self._connection.send(_control(queue, command, limit, reason))

    async def acontrol(self, queue: str, command: QueueCommand, limit: int | None = None, reason: str = "") -> None:
        """Change one queue."""
        await self._aconnection.send(_control(queue, command, limit, reason))

    def control_environment(self, command: Literal["pause", "resume"], reason: str = "") -> None:
        """Pause or resume the environment."""
        self._connection.send(_control_environment(command, reason))

    async def acontrol_environment(self, command: Literal["pause", "resume"], reason: str = "") -> None:
        """Pause or resume the environment."""
        await self._aconnection.send(_control_environment(command, reason))

    def environment(self) -> QueueState:
        """Return the environment's limit and whether it is paused."""
        return self._connection.send(_environment())

    async def aenvironment(self) -> QueueState:
        """Return the environment's limit and whether it is paused."""
        return await self._aconnection.send(_environment())


def _list() -> ApiRequest[Sequence[QueueState]]:
    return get(f"{PREFIX}/queues", lambda document: [_state(each) for each in document["queues"]])


def _retrieve(queue: str) -> ApiRequest[QueueState]:
    return get(f"{PREFIX}/queue", _state, name=_checked(queue))


def _control(queue: str, command: QueueCommand, limit: int | None, reason: str) -> ApiRequest[None]:
    body: Mapping[str, object] = {"name": _checked(queue), "command": command, "limit": limit, "reason": reason}
    return post(f"{PREFIX}/queue/control", _nothing, body)


def _environment() -> ApiRequest[QueueState]:
    return get(f"{PREFIX}/environment", _state)


def _control_environment(command: Literal["pause", "resume"], reason: str) -> ApiRequest[None]:
    return post(f"{PREFIX}/environment/control", _nothing, {"command": command, "reason": reason})


def _checked(queue: str) -> str:
    if not queue:
        raise QueueNotFoundError(queue, "Give the queue's name.")
    return queue


def _state(document: Any) -> QueueState:
    return record_of(QueueState, document)


def _nothing(_: Any) -> None:
    return None
