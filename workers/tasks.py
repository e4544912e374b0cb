"""Example tasks, each of which shows one feature. They use the public API only."""

import asyncio
import time

from pydantic import BaseModel

from taskflow import Context, Queue, Retry, task


class Greeting(BaseModel):
    """The payload of hello-world."""

    message: str = "world"


class Work(BaseModel):
    """The time for which a task works, in seconds."""

    seconds: float = 0.2


@task(id="hello-world")
def hello_world(payload: Greeting, ctx: Context) -> str:
    """Say hello in capitals."""
    return f"HELLO {payload.message.upper()} (run {ctx.run.id})"


@task(id="flaky", retry=Retry(max_attempts=4, min_delay=0.3, max_delay=1, factor=1.8))
def flaky(payload: int, ctx: Context) -> str:
    """Fail until attempt number ``payload``."""
    if ctx.attempt.number < payload:
        raise ConnectionError(f"the flaky service refused attempt {ctx.attempt.number}")
    return f"answered at attempt {ctx.attempt.number}"


@task(id="one-at-a-time", queue=Queue("one-at-a-time", concurrency_limit=1))
def one_at_a_time(payload: Work) -> float:
    """Work alone, because the queue's limit of 1 holds over all workers."""
    time.sleep(payload.seconds)
    return time.time()


@task(id="heavy-task", machine="large-1x")
def heavy_task(payload: Work, ctx: Context) -> str:
    """Work on a large machine."""
    time.sleep(payload.seconds)
    return f"worked on {ctx.machine.name} ({ctx.machine.cpu:g} vCPU, {ctx.machine.memory:g} GB)"


@task(id="fetch-all")
async def fetch_all(payload: Work) -> int:
    """Await ten things at once, in a worker that executes a thousand such runs in one process."""
    waits = [asyncio.sleep(payload.seconds) for _ in range(10)]
    await asyncio.gather(*waits)
    return len(waits)


@task(id="greet-everyone")
def greet_everyone(payload: list[str]) -> list[str]:
    """Trigger another task for each name, and return the ids of its runs."""
    return [hello_world.trigger(Greeting(message=name)).id for name in payload]
