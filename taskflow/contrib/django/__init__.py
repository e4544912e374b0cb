"""taskflow in a Django site: ``INSTALLED_APPS += ["taskflow.contrib.django"]``.

Settings are in ``TASKFLOW = {...}``, tasks in the ``tasks.py`` of each app, and a trigger inside a transaction makes
its run when that is committed. This module imports nothing of Django, because the command looks for a site with it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskflow.contrib.django.tasks_backend.backend import TaskflowBackend

__all__ = ["TaskflowBackend"]


def __getattr__(name: str) -> object:
    """Load the backend of Django's own tasks, which settings name as ``taskflow.contrib.django.TaskflowBackend``."""
    if name == "TaskflowBackend":
        from taskflow.contrib.django.tasks_backend.backend import TaskflowBackend

        return TaskflowBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
