"""Tasks that an assistant triggers over MCP."""

import asyncio
from typing import Annotated

from pydantic import BaseModel, Field

from taskflow import Retry, ScheduledPayload, logger, schedules, task

QUICK = Retry(max_attempts=2, min_delay=0.05, max_delay=0.05, factor=1)


class Parcel(BaseModel):
    """A payload with rules."""

    number: Annotated[int, Field(ge=1)]
    note: str = ""
    password: str = ""
    items: list[str] = []


@task(id="mc-pack", retry=QUICK, tags=("shop",))
async def pack(payload: Parcel) -> dict[str, object]:
    """Pack a parcel and return what is in it."""
    logger.info(f"packing {payload.note}", number=payload.number, key=payload.password)
    return {"total": payload.number * 2, "items": payload.items, "password": payload.password}


@task(id="mc-fail", retry=QUICK)
async def fail(payload: str) -> None:
    """Fail at each attempt."""
    logger.warning("about to fail")
    raise ValueError(f"no parcel {payload}")


@task(id="mc-talk", retry=QUICK)
async def talk(payload: int) -> int:
    """Log many lines."""
    for number in range(payload):
        logger.info(f"line {number}")
    return payload


@task(id="mc-nap", retry=QUICK)
async def nap(payload: float) -> str:
    """Sleep."""
    await asyncio.sleep(payload)
    return "awake"


@task(id="mc-plain", retry=QUICK)
async def plain() -> None:
    """Take no payload, and return nothing."""


@schedules.task(id="mc-tick", cron="0 9 * * 1-5", timezone="Europe/Zurich")
async def tick(payload: ScheduledPayload) -> None:
    """Run in the morning."""
