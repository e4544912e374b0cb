"""Task definitions as Celery tasks: what the user finds in ``app.tasks[id]``."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import celery

from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import AbortRun
from taskflow.execution.misfit import Code, source_digest
from taskflow.store.operations.registration import TaskRegistration
from taskflow.worker.children.run_task import RunTask
from taskflow.worker.task_details import details_of
from taskflow.worker.usable_tasks import schema_of


def register_tasks(app: celery.Celery, definitions: Iterable[TaskDefinition]) -> None:
    """Register a Celery task of the same name for each definition. It replaces one that is registered already."""
    for definition in definitions:
        if definition.durable:
            source_digest(definition.source_file)  # now, because a deployment may change the file under a running node
        app.tasks.pop(definition.id, None)
        declare: Any = cast("Any", app).task(lazy=False, shared=False, **celery_options(definition))
        declare(_named(definition))


def _named(definition: TaskDefinition) -> Callable[..., object]:
    """Return the task's function, or one like it that Celery can declare: its name may be any text."""
    if definition.function.__name__.isidentifier():
        return definition.function

    @functools.wraps(definition.function)
    def named(*args: object, **kwargs: object) -> object:
        return definition.function(*args, **kwargs)

    named.__name__ = "named"
    return named


@dataclass(frozen=True, slots=True)
class RegisteredTasks:
    """A worker's tasks as JSON, by task id, for the store."""

    tasks: Mapping[str, str]
    schemas: Mapping[str, str]
    details: Mapping[str, str]


def registered_tasks(definitions: Iterable[TaskDefinition], version: str | None) -> RegisteredTasks:
    """Return what a worker registers of its tasks."""
    definitions = [*definitions]
    schemas = {each.id: schema for each in definitions if (schema := schema_of(each)) is not None}
    tasks = {each.id: _registration(each, schemas.get(each.id, ""), version).to_json() for each in definitions}
    return RegisteredTasks(tasks, schemas, {each.id: details_of(each).to_json() for each in definitions})


def _registration(definition: TaskDefinition, schema: str, version: str | None) -> TaskRegistration:
    return TaskRegistration(
        id=definition.id,
        class_name=definition.class_name,
        queue=definition.queue_name,
        limits=definition.queue.limits,
        max_attempts=definition.retry.max_attempts,
        ttl=definition.ttl,
        max_duration=definition.max_duration,
        tags=definition.tags,
        schema_digest=hashlib.sha256(schema.encode()).hexdigest()[:16] if schema else "",
        version=version,
        code=Code(version or "", source_digest(definition.source_file)).text() if definition.durable else None,
    )


def celery_options(definition: TaskDefinition) -> dict[str, Any]:
    """Return the Celery options of a definition, for Celery's own tools.

    They can't express every ``Retry``: Celery's base is 2 and its jitter may be 0. The delay that counts is
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
