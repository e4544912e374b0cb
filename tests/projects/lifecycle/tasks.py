"""Tasks with every hook, one for each executor. They write to the ledger, ``run word ...``."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from pydantic import BaseModel

from taskflow import Context, Local, Retry, Task, task
from tests.projects.fleet_tasks import write

Place = Local[str]("place")


class Doing(BaseModel):
    """The payload: the attempts that fail, and how long the last one sleeps."""

    succeed_at: int = 1
    seconds: float = 0.0


class Lines:
    """Hooks that write their name, in turn ``def`` and ``async def``."""

    def __init__(self) -> None:
        self.is_async = True

    def __call__(self, name: str) -> Callable[..., object]:
        self.is_async = not self.is_async

        def hook(ctx: Context) -> None:
            write(ctx.run.id, name, Place.get_or_raise().replace(" ", "-"))

        async def ahook(ctx: Context) -> None:
            await asyncio.sleep(0)
            hook(ctx)

        return ahook if self.is_async else hook


def hooked(subject: Task[Doing, str]) -> None:
    """Add every hook to a task."""
    line = Lines()
    for decorate, name in (
        (subject.on_start, "on_start"),
        (subject.on_start_attempt, "on_start_attempt"),
        (subject.on_error, "on_error"),
        (subject.on_success, "on_success"),
        (subject.on_failure, "on_failure"),
        (subject.on_complete, "on_complete"),
        (subject.on_cancel, "on_cancel"),
        (subject.cleanup, "cleanup"),
    ):
        decorate(name)(line(name))

    @subject.init
    async def init(payload: Doing, ctx: Context) -> dict[str, int]:
        write(ctx.run.id, "init")
        return {"succeed_at": payload.succeed_at}

    @subject.middleware
    async def around(ctx: Context, next: Callable[[], Awaitable[None]]) -> None:
        write(ctx.run.id, "task-before")
        try:
            await next()
        finally:
            write(ctx.run.id, "task-after")


def fail(ctx: Context, init: dict[str, int]) -> None:
    """Raise an error with a cause before the attempt that is to succeed."""
    write(ctx.run.id, "run", ctx.attempt.number)
    assert ctx.task.file_path == __file__
    if ctx.attempt.number < init["succeed_at"]:
        try:
            raise KeyError("the cause")
        except KeyError as cause:
            raise ConnectionError("not yet") from cause


@task(id="l-process", retry=Retry(max_attempts=2, min_delay=0.05))
def in_process(payload: Doing, ctx: Context, init: dict[str, int]) -> str:
    """Run in a child."""
    fail(ctx, init)
    time.sleep(payload.seconds)
    return Place.get_or_raise()


@task(id="l-async", retry=Retry(max_attempts=2, min_delay=0.05))
async def in_loop(payload: Doing, ctx: Context, init: dict[str, int]) -> str:
    """Run as a coroutine."""
    fail(ctx, init)
    await asyncio.sleep(payload.seconds)
    return Place.get_or_raise()


hooked(in_process)
hooked(in_loop)
