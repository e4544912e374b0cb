"""The tasks of a server's environment over HTTP. Their ids are parameters, because they may hold a slash."""

from collections.abc import Sequence

from taskflow.definition.calls.known_task import KnownTask
from taskflow.errors import TaskNotFoundError
from taskflow.http_client.transport.api_request import PREFIX, get
from taskflow.http_client.transport.connection import AsyncConnection
from taskflow.seams.record_documents import record_of
from taskflow.texts import is_possible_id


class HttpTasks:
    """Lists tasks."""

    def __init__(self, aconnection: AsyncConnection) -> None:
        self._aconnection = aconnection

    async def alist(self) -> Sequence[KnownTask]:
        """Return all tasks, by id."""
        request = get(f"{PREFIX}/tasks", lambda document: [record_of(KnownTask, each) for each in document["tasks"]])
        return await self._aconnection.send(request)

    async def aretrieve(self, task_id: str) -> KnownTask | None:
        """Return one task, None for one that neither a worker nor the server knows."""
        if not task_id or not is_possible_id(task_id):
            return None
        try:
            return await self._aconnection.send(
                get(f"{PREFIX}/task", lambda document: record_of(KnownTask, document), id=task_id)
            )
        except TaskNotFoundError:
            return None
