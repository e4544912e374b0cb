"""Tasks of Django's own kind, for the backend of taskflow."""

# On Python 3.11 there are the stubs of Django 6 only.
# pyright: reportMissingModuleSource=false

from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING or django.VERSION >= (6, 0):
    from django.tasks import task
else:
    from django_tasks import task

from .models import Effect


class RefusedError(Exception):
    """Raised by a task of the tests."""


@task
def add(one: int, other: int) -> int:
    """Add two numbers."""
    return one + other


@task(queue_name="emails", priority=10)
async def add_later(one: int, other: int) -> int:
    """Add two numbers in a coroutine."""
    return one + other


@task
def refuse(text: str) -> None:
    """Fail."""
    raise RefusedError(text)


@task
def leave() -> None:
    """Fail by an exit."""
    raise SystemExit(3)


@task
def unspeakable() -> object:
    """Return what is no JSON."""
    return object()


@task(takes_context=True)
def tell(context: Any, name: str) -> list[Any]:
    """Return what the context has."""
    Effect.objects.create(name=name, run_id=context.task_result.id, saw_order=True)
    return [context.attempt, context.task_result.id, context.task_result.task.name]


@task(takes_context=True, backend="patient")
def third_time(context: Any) -> int:
    """Fail twice."""
    if context.attempt < 3:
        raise RefusedError(f"attempt {context.attempt}")
    return int(context.attempt)


@task(backend="immediate")
def elsewhere(number: int) -> int:
    """Declared for another backend."""
    return number
