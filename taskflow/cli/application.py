"""Finding the project's app: the module named by ``-A``, else that of the site here, else from the settings,
else a ``workers`` package."""

import importlib.util
from typing import Annotated, Final

import typer

from taskflow.app import TaskFlow
from taskflow.contrib.sites import enter_site
from taskflow.definition.importing import import_user_module
from taskflow.errors import NotOverHttpError, SettingsError
from taskflow.seams.current_application import CURRENT
from taskflow.seams.engine import Application
from taskflow.settings import Settings
from taskflow.verbs.current import application

CONVENTIONAL: Final = "workers"
FROM_SETTINGS: Final = "taskflow.fleet"
App = Annotated[
    str | None,
    typer.Option("-A", "--app", help="Module with the TaskFlow app. Default: TASKFLOW_TASKS, else `workers`."),
]


def app_module(named: str | None) -> str:
    """Return the module whose Celery app the workers run.

    Raises:
        SettingsError: No module is named, there is no site of Django or Flask, no task module is set, and there is no
            ``workers`` package.
    """
    site = enter_site()
    if named is not None:
        return named
    if site:
        return site
    if Settings.read().tasks:
        return FROM_SETTINGS
    if importlib.util.find_spec(CONVENTIONAL):
        return CONVENTIONAL
    raise SettingsError(
        "No tasks are known. Set TASKFLOW_TASKS to the modules that declare them (TASKFLOW_TASKS=shop.tasks), name the "
        "app's module with -A, or call from a folder with a `workers` package."
    )


def reach(named: str | None) -> Application:
    """Return the application whose engine a command calls: the project's app, or the client of TASKFLOW_API_URL.

    A client imports the modules of TASKFLOW_TASKS and no app.

    Raises:
        SettingsError: As ``load``; a client needs no module.
        NotOverHttpError: An app is named with ``-A``, and TASKFLOW_API_URL is set.
    """
    return application() if named is None and Settings.read().api_url else load(named)


def reach_without_tasks(named: str | None) -> Application:
    """Return the application of a command that needs no tasks. See ``reach``.

    Raises:
        SettingsError: A setting is wrong, or the named module does not exist.
        NotOverHttpError: An app is named with ``-A``, and TASKFLOW_API_URL is set.
    """
    if named is not None or not (settings := Settings.read(tasks=())).api_url:
        return load_without_tasks(named)
    from taskflow.http_client.application import ServerClient

    CURRENT.application = client = ServerClient(settings)
    return client


def load_without_tasks(named: str | None) -> TaskFlow:
    """Return an app for a command that needs no tasks. Only an app that is named with ``-A`` is imported.

    Raises:
        SettingsError: A setting is wrong, or the named module does not exist.
        NotOverHttpError: TASKFLOW_API_URL is set.
    """
    _refuse_client()
    return load(named) if named is not None else TaskFlow(Settings.read(tasks=())).set_default()


def load(named: str | None) -> TaskFlow:
    """Import the project's app, which makes it the current one, and return it.

    Raises:
        SettingsError: No module is known (see ``app_module``), or it does not exist, or its import raises.
        NotOverHttpError: TASKFLOW_API_URL is set.
    """
    _refuse_client()
    module = app_module(named)
    import_user_module(module, what="app module", remedy="Check -A, and the folder from which you call.")
    return TaskFlow.current()


def _refuse_client() -> None:
    """Refuse a command that needs the store itself in a process that is a client of a server."""
    if url := Settings.read(tasks=()).api_url:
        raise NotOverHttpError("This command", url)
