"""Tasks of the tests' site."""

import os

from asgiref.sync import sync_to_async
from django.db import connection
from pydantic import BaseModel

from taskflow import Context, Retry, ScheduledPayload, schedules, task

from . import background
from .models import Effect, Order

__all__ = ["background", "schedules"]

ONCE = Retry(max_attempts=1)


class OrderPayload(BaseModel):
    """The order to process."""

    name: str


@task(id="site-process", retry=ONCE)
def process(payload: OrderPayload, ctx: Context) -> str:
    """Write what the run saw."""
    return _record(payload.name, ctx.run.id)


@task(id="site-process-async", retry=ONCE)
async def process_async(payload: OrderPayload, ctx: Context) -> str:
    """Write what the run saw, from a coroutine."""
    return await sync_to_async(_record)(payload.name, ctx.run.id)


@task(id="site-process-nightly", retry=ONCE)
def nightly(payload: ScheduledPayload) -> None:
    """Do nothing."""


@task(id="site-identity", retry=ONCE)
def identity(ctx: Context) -> str:
    """Return the server's id of the connection that the run uses, with the id of the process."""
    return _identity()


@task(id="site-identity-async", retry=ONCE)
async def identity_async(ctx: Context) -> str:
    """Return the same from a coroutine."""
    return await sync_to_async(_identity)()


@task(id="site-tick", retry=ONCE)
def tick(ctx: Context, name: str, amount: int = 1) -> str:
    """Write that the tick of a schedule was executed."""
    return _record(f"{name}:{amount}", ctx.run.id)


def _record(name: str, run_id: str) -> str:
    was_open = connection.connection is not None
    saw = Order.objects.filter(name=name, run_id=run_id).exists()
    Effect.objects.create(name=name, run_id=run_id, saw_order=saw, process=str(os.getpid()), was_open=was_open)
    return name


def _identity() -> str:
    if connection.vendor == "sqlite":
        was_open = connection.connection is not None
        connection.ensure_connection()
        return f"{os.getpid()} {id(connection.connection)} {was_open}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return f"{os.getpid()} {cursor.fetchone()[0]}"
