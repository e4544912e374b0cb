"""Tasks with several parameters, as people have them who come from Celery."""

import asyncio
from decimal import Decimal
from typing import Any

from taskflow import BatchItem, Context, Retry, metadata, task

FAST = Retry(max_attempts=3, min_delay=0.05, randomize=False)


def note_order(payload: Any, ctx: Context) -> None:
    """Show what a hook gets."""
    metadata.set("noted", [payload.order_id, str(payload.amount), ctx.attempt.number])


@task(id="t-charge", retry=FAST, on_start_attempt=note_order)
def charge(order_id: str, amount: Decimal = Decimal(1), *, note: str | None = None) -> list[str | None]:
    """Return the arguments."""
    return [order_id, str(amount), note]


@task(id="t-async-charge", retry=FAST, on_start_attempt=note_order)
async def async_charge(order_id: str, amount: Decimal = Decimal(1), *, note: str | None = None) -> list[str | None]:
    """Return the arguments."""
    return [order_id, str(amount), note]


@task(id="t-confirm", retry=FAST)
def confirm(charged: list[str | None], prefix: str = "ok") -> str:
    """Return a text of what another task returned."""
    return f"{prefix}:{charged[0]}:{charged[1]}"


@task(id="t-async-confirm", retry=FAST)
async def async_confirm(charged: list[str | None], prefix: str = "ok") -> str:
    """Return a text of what another task returned."""
    return f"{prefix}:{charged[0]}:{charged[1]}"


@task(id="t-options", retry=FAST)
def options(ctx: Context, queue: str, delay: int = 0, /, tags: tuple[str, ...] = ()) -> list[object]:
    """Take parameters that are called as options of a run are, by position only, after the context."""
    return [ctx.queue.name, ctx.attempt.number, queue, delay, *tags]


@task(id="t-charges", retry=FAST)
def charges(ctx: Context, order_id: str, count: int = 2) -> list[object]:
    """Charge an order once, and then several times, each time as a run of its own."""
    one = charge.with_options(tags=[ctx.run.id]).trigger_and_wait(order_id, note="one").unwrap()
    items = [charge.arguments(f"{order_id}.{number}", Decimal(number)) for number in range(count)]
    return [one, *(result.unwrap() for result in charge.batch_trigger_and_wait([*items, BatchItem(items[0])]))]


@task(id="t-async-charges", retry=FAST)
async def async_charges(ctx: Context, order_id: str, count: int = 2) -> list[object]:
    """Charge an order once, and then several times, each time as a run of its own."""
    one, _ = await asyncio.gather(
        async_charge.atrigger_and_wait(order_id, note="one"), async_charge.atrigger_and_wait(order_id)
    )
    items = [async_charge.arguments(f"{order_id}.{number}", Decimal(number)) for number in range(count)]
    results = await async_charge.abatch_trigger_and_wait([*items, BatchItem(items[0])])
    return [one.unwrap(), *(result.unwrap() for result in results)]


@task(id="t-sweep", retry=FAST)
def sweep(days: int = 30) -> int:
    """Need no argument."""
    return days
