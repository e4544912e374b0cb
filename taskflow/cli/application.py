"""Finding the project's app: the module named by ``-A``, else from the settings, else a ``workers`` package here."""

import importlib.util
from typing import Annotated, Final

import typer

from taskflow.app import TaskFlow
from taskflow.definition.importing import import_user_module
from taskflow.errors import SettingsError
from taskflow.settings import Settings

CONVENTIONAL: Final = "workers"
FROM_SETTINGS: Final = "taskflow.fleet"
App = Annotated[
    str | None,
    typer.Option("-A", "--app", help="Module with the TaskFlow app. Default: TASKFLOW_TASKS, else `workers`."),
]


def app_module(named: str | None) -> str:
    """Return the module whose Celery app the workers run.

    Raises:
        SettingsError: No module is named, no task module is set, and there is no ``workers`` package.
    """
    if named is not None:
        return named
    if Settings.read().tasks:
        return FROM_SETTINGS
    if importlib.util.find_spec(CONVENTIONAL):
        return CONVENTIONAL
    raise SettingsError(
        "No tasks are known. Set TASKFLOW_TASKS to the modules that declare them (TASKFLOW_TASKS=shop.tasks), name the "
        "app's module with -A, or call from a folder with a `workers` package."
    )


def load_without_tasks(named: str | None) -> TaskFlow:
    """Return an app for a command that needs no tasks. Only an app that is named with ``-A`` is imported.

    Raises:
        SettingsError: A setting is wrong, or the named module does not exist.
    """
    return load(named) if named is not None else TaskFlow(Settings.read(tasks=())).set_default()


def load(named: str | None) -> TaskFlow:
    """Import the project's app, which makes it the current one, and return it.

    Raises:
        SettingsError: No module is known (see ``app_module``), or it does not exist, or its import raises.
    """
    module = app_module(named)
    import_user_module(module, what="app module", remedy="Check -A, and the folder from which you call.")
    return TaskFlow.current()
