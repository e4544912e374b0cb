"""Turn task definitions into Celery tasks: the translation that the user reads in ``app.tasks[id]``."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast

import celery

from taskflow.definition.task import TaskDefinition
from taskflow.errors import AbortRun
from taskflow.worker.run_task import RunTask


def register_tasks(app: celery.Celery, definitions: Iterable[TaskDefinition]) -> None:
    """Register a Celery task of the same name for each definition; one that is registered already is replaced."""
    for definition in definitions:
        app.tasks.pop(definition.id, None)
        declare: Any = cast("Any", app).task(lazy=False, shared=False, **celery_options(definition))
        declare(definition.function)


def celery_options(definition: TaskDefinition) -> dict[str, Any]:
    """Return a definition's retry options and the rest in Celery's words.

    Celery's arithmetic can't say them all (its base is 2, its jitter may be 0): the delay that counts is
    ``Retry.delay_after``, and the next attempt comes from the store.
    """
    retry = definition.retry
    return {
        "name": definition.id,
        "base": RunTask,
        "definition": definition,
        "autoretry_for": (Exception,),
        "dont_autoretry_for": (AbortRun,),
        "max_retries": retry.max_attempts - 1,
        "retry_backoff": _seconds(retry.min_delay),
        "retry_backoff_max": _seconds(retry.max_delay),
        "retry_jitter": retry.randomize,
    }


def _seconds(duration: timedelta) -> int | float:
    seconds = duration.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds
