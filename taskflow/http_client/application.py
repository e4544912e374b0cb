"""The composition of a client of a server: settings, declared tasks, connections and engine."""

from collections.abc import Mapping

from taskflow.definition.foreign_task import NamedTasks
from taskflow.definition.machine import MachineSpec, presets_with
from taskflow.definition.registry import Registry, declared
from taskflow.definition.task_modules import import_task_modules
from taskflow.errors import SettingsError
from taskflow.http_client.engine import HttpEngine
from taskflow.http_client.transport.address import ServerAddress
from taskflow.settings import Settings


class ServerClient:
    """The application of a process whose verbs go to a server.

    Args:
        settings: Those with ``api_url`` and ``api_key``.
        registry: The declared tasks, whose payloads are checked before they are sent.

    Raises:
        SettingsError: httpx is not installed, or a task module can't be found.
    """

    def __init__(self, settings: Settings, registry: Registry = declared) -> None:
        if settings.api_url is None or settings.api_key is None:
            raise SettingsError("A client of a server needs TASKFLOW_API_URL and TASKFLOW_API_KEY.")
        import_task_modules(settings.tasks)
        self.settings, self.url = settings, settings.api_url
        key, seconds = settings.api_key.get_secret_value(), settings.connect_timeout.total_seconds()
        presets: Mapping[str, MachineSpec] = presets_with(settings.machines)
        self.engine = HttpEngine(
            ServerAddress(self.url, key, seconds), NamedTasks(registry), presets, settings.payload_limit
        )

    def close(self) -> None:
        """Close every connection. The application can't be used afterwards."""
        self.engine.close()
