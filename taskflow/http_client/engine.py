"""The engine behind every verb in a client of a server, by subject."""

from collections.abc import Mapping
from dataclasses import dataclass

from taskflow.definition.foreign_task import NamedTasks
from taskflow.definition.machine import MachineSpec
from taskflow.definition.task_definition import TaskDefinition
from taskflow.http_client.batches import HttpBatches
from taskflow.http_client.ends import EndsOfRuns
from taskflow.http_client.error_groups import HttpErrors
from taskflow.http_client.logs import HttpLogs
from taskflow.http_client.queues import HttpQueues
from taskflow.http_client.runs import HttpJournals, HttpRuns
from taskflow.http_client.schedules import HttpSchedules
from taskflow.http_client.streams import HttpStreams
from taskflow.http_client.tasks import HttpTasks
from taskflow.http_client.tokens import HttpTokens
from taskflow.http_client.transport.address import ServerAddress
from taskflow.http_client.transport.api_request import PREFIX, get
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.http_client.webhooks import HttpWebhooks
from taskflow.seams.record_documents import record_of


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server's version, and the environment that the key opens."""

    version: str
    environment: str
    is_read_only: bool = False


class HttpEngine:
    """Sends what verbs ask for to a server. Payloads and outputs are JSON."""

    def __init__(
        self, address: ServerAddress, tasks: NamedTasks, presets: Mapping[str, MachineSpec], payload_limit: int
    ) -> None:
        both = self._connection, aconnection = Connection(address), AsyncConnection(address)
        self._tasks, self._ends = tasks, EndsOfRuns(self._connection, aconnection)
        self.runs = HttpRuns(*both, self._ends, tasks, presets, payload_limit)
        self.journals = HttpJournals(*both)
        self.queues = HttpQueues(*both)
        self.tokens = HttpTokens(*both)
        self.tasks = HttpTasks(aconnection)
        self.batches = HttpBatches(*both, self._ends, tasks, presets, payload_limit)
        self.streams = HttpStreams(*both)
        self.errors = HttpErrors(*both)
        self.logs = HttpLogs(*both)
        self.schedules = HttpSchedules(*both)
        self.webhooks = HttpWebhooks(*both)

    def server(self) -> ServerFacts:
        """Return what the server says about itself and the key."""
        return self._connection.send(get(f"{PREFIX}/server", lambda document: record_of(ServerFacts, document)))

    def find_task(self, task_id: str) -> TaskDefinition:
        """Return the definition of a task; a stand-in for a task that is not declared in this process."""
        return self._tasks.task(task_id)

    def load_value(self, stored: bytes) -> bytes:
        """Return the JSON of a value: answers of a server hold no addresses of large ones."""
        return stored

    async def aload_value(self, stored: bytes) -> bytes:
        """Return the JSON of a value: answers of a server hold no addresses of large ones."""
        return stored

    def close(self) -> None:
        """End the thread that waits for runs, and close the connections of threads."""
        self._ends.close()
        self._connection.close()
