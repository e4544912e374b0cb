"""The nodes' Celery app in the tests: the one made from settings, with a visibility timeout when a test sets one."""

import os
import signal
from pathlib import Path
from typing import Any

from celery import shared_task
from celery.signals import before_task_publish

from taskflow.fleet import app as app
from tests.projects.fleet_tasks import write

if "TEST_VISIBILITY_TIMEOUT" in os.environ:
    seconds = float(os.environ["TEST_VISIBILITY_TIMEOUT"])
    app.conf.broker_transport_options |= {"visibility_timeout": seconds, "unacked_restore_interval": 1}


@app.task(name="plain-double")
def plain_double(value: Any) -> Any:
    """A plain Celery task of the same app."""
    return value * 2


@shared_task(name="plain-shared")
def plain_shared(value: Any) -> Any:
    """A plain Celery task as reusable packages declare it."""
    return [value]


@app.task(name="plain-silent", ignore_result=True)
def plain_silent(value: Any) -> Any:
    """A plain Celery task whose result nobody wants."""
    return value


@app.task(name="plain-errback")
def plain_errback(request: Any, error: Any, traceback: Any) -> None:
    """An errback as Celery's manual has it: called in place."""
    write("errback", request.id, type(error).__name__, str(error).replace(" ", "-"))


@before_task_publish.connect
def die_once(**_: Any) -> None:
    """Kill the node (``kill -9``) the first time it is about to publish a message, when a test asks for it."""
    marker = Path(os.environ.get("TEST_DIE_AT_PUBLISH", os.devnull))
    if not marker.exists():
        marker.touch()
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
