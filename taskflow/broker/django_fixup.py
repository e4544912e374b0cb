"""Celery's fixup for Django, without its closing of connections around tasks where a site has taskflow as an app.

Celery closes every connection before and after each task, whatever CONN_MAX_AGE and pools say.
``taskflow.contrib.django`` keeps them as requests do. What Celery does after a fork stays, because children must not
use the connections of their parent.
"""

from typing import Any, Final

from celery import Celery, signals
from celery.fixups import django as celery_django

_APP: Final = "taskflow.contrib.django"


def fixup(app: Celery) -> object:
    """Install the fixup if the process has Django settings."""
    installed: Any = celery_django.fixup(app)
    if installed is None:
        return None

    def keep_connections(**_: object) -> None:
        from django.apps import apps

        if apps.ready and apps.is_installed(_APP):
            signals.task_prerun.disconnect(installed.worker_fixup.on_task_prerun)
            signals.task_postrun.disconnect(installed.worker_fixup.on_task_postrun)

    signals.worker_init.connect(keep_connections, weak=False)  # behind Celery's own, which connects those two
    return installed
