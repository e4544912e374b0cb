"""The engine that the verbs of this process use: that of the run store, or with TASKFLOW_API_URL that of a server."""

from typing import TYPE_CHECKING

from taskflow.seams.current_application import CURRENT

if TYPE_CHECKING:  # a process that declares tasks imports no engine, nor what the results of verbs are
    from taskflow.seams.engine import Application, Engine


def engine() -> "Engine":
    """Return the engine of the current application.

    The first call loads the application, so that a process that only declares tasks imports neither Celery nor Redis
    nor an HTTP client, and a client of a server only the latter.
    """
    return (CURRENT.application or application()).engine


def application() -> "Application":
    """Return the current application, made from settings at the first use.

    Raises:
        SettingsError: A setting is wrong.
        EmbeddedStoreError: No store is configured and none could be started.
    """
    with CURRENT.lock:
        if CURRENT.application is None:
            CURRENT.application = _made()
        return CURRENT.application


def _made() -> "Application":
    from taskflow.settings import Settings

    settings = Settings.read()
    if settings.api_url:
        from taskflow import guard_of_tests
        from taskflow.http_client.application import ServerClient

        guard_of_tests.check(settings.api_url)
        return ServerClient(settings)
    from taskflow.app import TaskFlow

    return TaskFlow(settings)
