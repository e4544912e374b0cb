"""Tasks that the official client triggers, follows and talks to. All are coroutines: one node has room for them."""

import asyncio
from typing import Any

from pydantic import BaseModel

from taskflow import AbortRun, Context, Queue, ScheduledPayload, metadata, schedules, streams, tags, task, wait


class Greeting(BaseModel):
    """A payload that not everything fits."""

    message: str


words = streams.define("words")
answers = streams.input("answers")
QUICK = Queue("interop-quick", concurrency_limit=50)


@task(id="interop-echo")
async def echo(payload: Any) -> Any:
    """Return the payload."""
    return payload


@task(id="interop/nested", queue=QUICK)
async def nested(payload: Any) -> Any:
    """Return the payload: a task whose id has to be encoded in a path."""
    return payload


@task(id="interop-greet")
async def greet(payload: Greeting) -> str:
    """Return a text in upper case."""
    return payload.message.upper()


@task(id="interop-fail")
async def fail(payload: Any) -> None:
    """Raise at once, for good."""
    raise AbortRun("boom") from ValueError("the cause")


@task(id="interop-progress")
async def progress(payload: int, ctx: Context) -> int:
    """Report progress, a metadata value and a tag at a time, until a word comes."""
    metadata.set("step", 0)
    await metadata.aflush()
    async for answer in answers:
        if answer == "end":
            break
        metadata.set("step", answer)
        await metadata.aflush()
        await words.aappend({"step": answer})
    tags.add("done")
    return payload


@task(id="interop-words")
async def say(payload: list[Any]) -> int:
    """Write items to a stream."""
    for item in payload:
        await words.aappend(item)
    return len(payload)


@task(id="interop-hold")
async def hold(payload: Any) -> Any:
    """Wait for a token, whose id is the payload, and return its output."""
    result = await wait.afor_token(payload)
    return result.output if result.ok else "timed out"


@task(id="interop-slow")
async def slow(payload: float) -> str:
    """Go on for so many seconds."""
    await asyncio.sleep(payload)
    return "slept"


@schedules.task(id="interop-tick")
async def tick(payload: ScheduledPayload) -> str | None:
    """Return the id that whoever made the schedule has given it."""
    return payload.external_id


@schedules.task(id="interop-declared", cron="0 3 1 1 *")
async def declared_tick(payload: ScheduledPayload) -> None:
    """Fire once a year."""


@task(id="interop-family")
async def family(payload: Any) -> Any:
    """Trigger a child and wait for it."""
    return (await echo.atrigger_and_wait(payload)).unwrap()
