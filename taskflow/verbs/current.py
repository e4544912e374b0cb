"""The engine that the verbs of this process use."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskflow.engine.engine import Engine


def engine() -> "Engine":
    """Return the engine of the current application.

    The first call loads the application, so that a process that only declares tasks never imports Celery or Redis.
    """
    from taskflow.app import TaskFlow

    return TaskFlow.current().engine
