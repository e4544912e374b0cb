"""The names of Django's own tasks: of ``django.tasks`` from Django 6 on, of the package ``django-tasks`` before.

Types are those of ``django.tasks``. Older versions of the package have other names for two errors.
"""

# On Python 3.11 there are the stubs of Django 6 only.
# pyright: reportMissingModuleSource=false

from typing import TYPE_CHECKING, Final

import django

IS_CORE: Final = django.VERSION >= (6, 0)

if TYPE_CHECKING or IS_CORE:
    from django.tasks import task_backends
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
    from django.tasks.signals import task_enqueued, task_finished, task_started
    from django.utils.json import normalize_json
else:
    try:
        from django_tasks.backends.base import BaseTaskBackend
    except ImportError as missing:
        raise ImportError(
            "TaskflowBackend needs Django 6, or with Django 5.2 the package django-tasks: pip install django-tasks"
        ) from missing
    from django_tasks import exceptions, task_backends
    from django_tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django_tasks.exceptions import TaskResultDoesNotExist
    from django_tasks.signals import task_enqueued, task_finished, task_started
    from django_tasks.utils import normalize_json

    InvalidTask = getattr(exceptions, "InvalidTask", None) or exceptions.InvalidTaskError  # newer versions, older ones

__all__ = [
    "BaseTaskBackend",
    "InvalidTask",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskResult",
    "TaskResultDoesNotExist",
    "TaskResultStatus",
    "normalize_json",
    "task_backends",
    "task_enqueued",
    "task_finished",
    "task_started",
]
