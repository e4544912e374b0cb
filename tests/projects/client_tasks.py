"""Tasks that clients of a server trigger."""

import asyncio

from pydantic import BaseModel

from taskflow import Context, Queue, Retry, ScheduledPayload, logger, metadata, streams, task

QUICK = Retry(max_attempts=2, min_delay=0.05, max_delay=0.05, factor=1)
parts = streams.define("hc-parts", int)


class Order(BaseModel):
    """A payload with a type."""

    number: int
    note: str = ""


class Receipt(BaseModel):
    """An output with a type."""

    total: int


@task(id="hc-buy", retry=QUICK, tags=("shop",))
async def buy(payload: Order) -> Receipt:
    """Return a typed output."""
    logger.info("bought", number=payload.number)
    return Receipt(total=payload.number * 2)


@task(id="hc-fail", retry=QUICK)
async def fail(payload: str) -> None:
    """Fail at each attempt."""
    raise ValueError(payload)


@task(id="hc-nothing", retry=QUICK)
async def nothing(payload: None) -> None:
    """Take and return nothing."""


@task(id="hc-sleep", retry=QUICK, queue=Queue("hc-sleepers", concurrency_limit=50))
async def nap(payload: float, ctx: Context) -> str:
    """Sleep."""
    metadata.set("slept", payload)
    await asyncio.sleep(payload)
    return ctx.run.id


@task(id="hc-count", retry=QUICK)
async def count(payload: int) -> int:
    """Append to a stream."""
    for number in range(payload):
        await parts.aappend(number)
    return payload


@task(id="hc-tick", retry=QUICK)
async def tick(payload: ScheduledPayload) -> str:
    """Return the schedule."""
    return payload.schedule_id
