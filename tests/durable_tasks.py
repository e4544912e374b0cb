"""Durable tasks for the nodes of the tests: of each kind a ``def`` and an ``async def`` one."""

import asyncio
from uuid import UUID

from pydantic import BaseModel

from taskflow import Context, astep, durable, step, task, wait
from tests.fleet_tasks import FAST, write
from tests.waiting_tasks import child


class Order(BaseModel):
    """What a durable task works on."""

    id: str = "o1"
    wait: float = 0.3
    children: list[int] = []


class Charge(BaseModel):
    """What a step returns."""

    order: str
    cents: int


def charge(order: Order, cents: int) -> Charge:
    """A step with an effect."""
    write("charge", order.id, cents)
    return Charge(order=order.id, cents=cents)


@step
async def ship(order: Order) -> str:
    """A step of an ``async def`` task."""
    write("ship", order.id)
    await asyncio.sleep(0)
    return f"shipped {order.id}"


@task(id="d-shop", durable=True, retry=FAST, suspend_after=0)
def shop(payload: Order, ctx: Context) -> list[str]:
    """Steps around a wait without a process and children."""
    write("begin", payload.id, ctx.attempt.number)
    try:
        paid = step("charge", charge, payload, 5)
        key = durable.uuid4()
        wait.for_(5 + payload.wait)
        found = [child.trigger_and_wait(value).unwrap().value for value in payload.children]
        again = step("receipt", lambda: f"{paid.cents} {sum(found)}")
        return [type(paid).__name__, again, str(key == durable_key(ctx)), str(len(str(key)))]
    finally:
        write("finally", payload.id)


def durable_key(ctx: Context) -> UUID:
    """A value of the function's own, which is not journaled."""
    return UUID(int=0)


@task(id="d-async-shop", durable=True, retry=FAST, suspend_after=0)
async def async_shop(payload: Order, ctx: Context) -> list[str]:
    """The same in an event loop, with children at a time."""
    write("begin", payload.id, ctx.attempt.number)
    try:
        paid = await astep("charge", charge, payload, 5)
        await wait.afor_(5 + payload.wait)
        found = await asyncio.gather(*(child.atrigger_and_wait(value) for value in payload.children))
        total = sum(each.unwrap().value for each in found)
        return [type(paid).__name__, f"{paid.cents} {total}", await ship(payload)]
    finally:
        write("finally", payload.id)
