"""Tasks that wait, for the nodes of the tests: a ``def`` and an ``async def`` task of each kind."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from taskflow import AbortRun, BatchItem, Context, Queue, Retry, Wait, metadata, task, tasks, wait
from tests.projects.fleet_tasks import FAST, note, write

SINGLE = Queue("t-single", concurrency_limit=1)


class Plan(BaseModel):
    """The payload of a parent: the values for its children, and options of their runs."""

    values: list[int] = []
    key: str | None = None
    ttl: float | None = None


class Sum(BaseModel):
    """The result of a child."""

    value: int
    at: datetime


@task(id="w-child", queue=SINGLE, retry=FAST)
def child(payload: int, ctx: Context) -> Sum:
    """Double a number; refuse negative ones, and 13 only once."""
    write("child", ctx.run.id, payload, f"{time.time():.6f}")
    if payload < 0:
        raise AbortRun(f"no negative numbers: {payload}")
    if payload == 13 and ctx.attempt.number == 1:
        raise ValueError("unlucky")
    return Sum(value=2 * payload, at=datetime.now(UTC))


@task(id="w-parent", queue=SINGLE, retry=FAST)
def parent(payload: Plan, ctx: Context) -> list[int]:
    """Wait for one child after the other, on the same queue of limit 1."""
    sums: list[int] = []
    for value in payload.values:
        result = child.trigger_and_wait(value, ttl=payload.ttl, idempotency_key=payload.key)
        write("next", ctx.run.id, f"{time.time():.6f}")
        sums.append(result.unwrap().value if result.ok else -1)
    metadata.set("done", len(sums))
    return sums


@task(id="w-async-parent", queue=SINGLE, retry=FAST)
async def async_parent(payload: Plan, ctx: Context) -> list[int]:
    """Wait for all children at once, on the same queue of limit 1."""
    results = await asyncio.gather(
        *(child.atrigger_and_wait(value, ttl=payload.ttl, idempotency_key=payload.key) for value in payload.values)
    )
    write("next", ctx.run.id, f"{time.time():.6f}")
    metadata.set("done", len(results))
    return [result.unwrap().value if result.ok else -1 for result in results]


@task(id="w-batch-parent", retry=FAST)
def batch_parent(payload: Plan, ctx: Context) -> list[str]:
    """Wait for a batch, one item of which is wrong."""
    items: list[object] = [BatchItem(value) for value in payload.values]
    results = tasks.batch_trigger_and_wait("w-child", [*items, "not a number"])
    return [str(result.output.value) if isinstance(result.output, Sum) else result.status for result in results]


@task(id="w-sleeper", retry=FAST, max_duration=3)
def sleeper(payload: float, ctx: Context) -> float:
    """Wait for a time, and return how long the wait took."""
    began = time.time()
    note("start", ctx)
    wait.for_(payload)
    note("end", ctx)
    return time.time() - began


@task(id="w-async-sleeper", retry=FAST, max_duration=3)
async def async_sleeper(payload: float, ctx: Context) -> float:
    """Wait for a time, and return how long the wait took."""
    began = time.time()
    note("start", ctx)
    await wait.auntil(datetime.now(UTC) + timedelta(seconds=payload))
    note("end", ctx)
    return time.time() - began


@task(id="w-hooked", retry=FAST)
def hooked_parent(payload: int) -> int:
    """Wait between hooks."""
    return child.trigger_and_wait(payload).unwrap().value


@hooked_parent.on_wait
def _waits(wait: Wait) -> None:
    write("on_wait", wait.type, len(wait.run_ids))


@hooked_parent.on_resume
async def _resumes(wait: Wait) -> None:
    write("on_resume", wait.type, len(wait.run_ids))


@task(id="w-impatient", retry=Retry(max_attempts=1))
async def impatient(payload: float, ctx: Context) -> str:
    """Wait for an hour, but give up after ``payload`` seconds."""
    try:
        async with asyncio.timeout(payload):
            await wait.afor_("1h")
    except TimeoutError:
        note("end", ctx)
        return "gave up"
    return "waited"


@task(id="w-retrying", retry=FAST)
async def retrying(payload: float, ctx: Context) -> int:
    """Fail during a wait. The next attempt waits for a child."""
    if ctx.attempt.number == 1:
        async with asyncio.timeout(0.2):
            await wait.afor_("1h")
    return (await child.atrigger_and_wait(4)).unwrap().value


@task(id="w-large-child", retry=FAST)
def large_child(payload: int) -> str:
    """Return so many letters."""
    return "x" * payload


@task(id="w-large-parent", retry=FAST)
def large_parent(payload: int) -> list[int]:
    """Wait for large outputs, of one child and of a batch, and return how long they are."""
    one = large_child.trigger_and_wait(payload).unwrap()
    several = large_child.batch_trigger_and_wait([payload])
    return [len(one), *(len(result.unwrap()) for result in several)]


class Family(BaseModel):
    """The payload of ``family``: children of each run, generations, and how long the last generation sleeps."""

    children: int = 3
    depth: int = 1
    seconds: float = 0.0


@task(id="w-family", retry=FAST)
def family(payload: Family, ctx: Context) -> int:
    """Wait for a batch of children, which do the same. Returns the number of all these runs."""
    write("family", ctx.run.id, os.getpid(), payload.depth, f"{time.time():.6f}")
    if payload.depth == 0:
        time.sleep(payload.seconds)
        return 1
    children = [BatchItem(payload.model_copy(update={"depth": payload.depth - 1})) for _ in range(payload.children)]
    results = family.batch_trigger_and_wait(children)
    write("next", ctx.run.id, f"{time.time():.6f}")
    return 1 + sum(result.unwrap() for result in results)


@task(id="w-async-family", retry=FAST)
async def async_family(payload: Family, ctx: Context) -> int:
    """Wait for children of the same kind, which do the same."""
    if payload.depth == 0:
        await asyncio.sleep(payload.seconds)
        return 1
    children = payload.model_copy(update={"depth": payload.depth - 1})
    waits = (async_family.atrigger_and_wait(children) for _ in range(payload.children))
    return 1 + sum(result.unwrap() for result in await asyncio.gather(*waits))


@task(id="w-adoptive-parent", retry=FAST)
async def adoptive_parent(payload: Family, ctx: Context) -> int:
    """Wait for children of the other kind."""
    children = payload.model_copy(update={"depth": 0})
    results = await family.abatch_trigger_and_wait([BatchItem(children) for _ in range(payload.children)])
    return sum(result.unwrap() for result in results)


@task(id="w-modern", retry=FAST)
async def modern(payload: int) -> object:
    """Wait for a run of a task that only some workers have registered."""
    return (await tasks.atrigger_and_wait("t-elsewhere", {"number": payload})).unwrap()


@task(id="w-single-parent", queue=SINGLE, retry=FAST)
def single_parent(payload: float) -> float:
    """Wait for a child that is in a queue without a limit, and return how long the wait took."""
    began = time.time()
    family.trigger_and_wait(Family(depth=0, seconds=payload)).unwrap()
    return time.time() - began
