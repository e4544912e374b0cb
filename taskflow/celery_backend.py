"""The result backend ``taskflow://`` of any Celery app: reads the results of runs, and keeps those of plain tasks.

Celery finds it by an entry point where the package is installed. ``taskflow://`` is the store that the settings name;
``taskflow+redis://host:6379/0?environment=prod`` names a store itself, with its environment and number of shards.
"""

from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from taskflow.app import TaskFlow
from taskflow.broker.result_backend import RECORDS, RunBackend
from taskflow.definition.registry import Registry
from taskflow.engine.celery_records import RunRecords
from taskflow.errors import SettingsError
from taskflow.settings import Settings

SCHEME: Final = "taskflow"
_OPTIONS: Final = ("environment", "shards")


class TaskFlowBackend(RunBackend):
    """The backend of an app that ``TaskFlow`` did not make."""

    def __init__(self, app: Any, url: str | None = None, **options: Any) -> None:
        super().__init__(app, **options)
        self._settings = settings_of(url or f"{SCHEME}://")
        self._records: RunRecords | None = None

    @property
    def records(self) -> RunRecords:
        """The records, over connections of its own that are made at the first use."""
        if self._records is None:
            flow = TaskFlow(self._settings, registry=Registry())
            self._records = getattr(flow.celery, RECORDS)
        assert self._records is not None
        return self._records

    def is_run_task(self, name: str) -> bool:
        """Whether a task is not one of this app, and so perhaps one whose messages become runs."""
        return name not in self.app.tasks


def settings_of(url: str) -> Settings:
    """Return the settings with the store, environment and shards that a URL of this backend names.

    Raises:
        SettingsError: It has another form, or a setting is wrong.
    """
    place, _, query = url.partition("?")
    given = dict(parse_qsl(query))
    named: dict[str, Any] = {name: given.pop(name) for name in _OPTIONS if name in given}
    if not url.startswith(f"{SCHEME}:"):
        named["redis_url"] = f"{place}?{urlencode(given)}" if given else place
    elif place != f"{SCHEME}://" or given:
        raise SettingsError(
            "The result backend is written as taskflow://, for the store that TASKFLOW_REDIS_URL names, or as "
            "taskflow+redis://host:6379/0. Both may end with ?environment=NAME."
        )
    return Settings.read(tasks=(), **named)
