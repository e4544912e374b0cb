"""Tasks with a span of each kind, for both executors, and tasks that die or go on within spans."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator

from taskflow import Context, Retry, RunStatus, Task, astep, logger, metadata, runs, step, streams, task, wait

ONCE_MORE = Retry(max_attempts=2, min_delay=0.2, max_delay=0.2, factor=1)
notes = streams.define("sp-notes", str)


@task(id="sp-child")
def child(payload: int, ctx: Context) -> int:
    """Return the payload once the parent waits, so that each trace has the parent's parked time."""
    while not _parent_waits(runs.retrieve(str(ctx.run.parent_id)).status):
        time.sleep(0.02)
    return payload


@task(id="sp-async-child")
async def async_child(payload: int, ctx: Context) -> int:
    """Do the same in an event loop."""
    while not _parent_waits((await runs.aretrieve(str(ctx.run.parent_id))).status):
        await asyncio.sleep(0.02)
    return payload


def _parent_waits(status: RunStatus) -> bool:
    return status is RunStatus.WAITING


def around() -> Iterator[None]:
    """A middleware."""
    yield


async def aaround() -> AsyncIterator[None]:
    """A middleware in the loop."""
    yield


def prepare() -> dict[str, str]:
    """An init hook."""
    logger.info("in init")
    return {"db": "open"}


def fail_once(ctx: Context) -> None:
    """Raise in the first attempt."""
    if ctx.attempt.number == 1:
        raise ConnectionError("once")


@task(id="sp-all", middleware=around, init=prepare, on_error=lambda: None, on_success=lambda: None, retry=ONCE_MORE)
def everything(payload: int, ctx: Context) -> int:
    """Use a span of each kind, after a first attempt that fails in a span."""
    logger.info("begins")
    with logger.span("outer", order=payload):
        with logger.span("inner"):
            logger.warning("within")
        fail_once(ctx)
    notes.append("one")
    doubled = step("double", lambda: 2 * payload)
    wait.for_(0.05)
    return doubled + child.trigger_and_wait(payload).unwrap()


@task(
    id="sp-async-all", middleware=aaround, init=prepare, on_error=lambda: None, on_success=lambda: None, retry=ONCE_MORE
)
async def async_everything(payload: int, ctx: Context) -> int:
    """Do the same in an event loop."""
    logger.info("begins")
    with logger.span("outer", order=payload):
        with logger.span("inner"):
            logger.warning("within")
        fail_once(ctx)
    await notes.aappend("one")
    doubled = await astep("double", lambda: 2 * payload)
    await wait.afor_(0.05)
    return doubled + (await async_child.atrigger_and_wait(payload)).unwrap()


@task(id="sp-plain")
def plain(payload: int) -> int:
    """Have neither hooks nor spans."""
    return payload


@task(id="sp-loud", on_success=lambda: None)
def loud(payload: int) -> None:
    """Log more than is kept."""
    for number in range(payload):
        logger.info("line", number=number)


@task(id="sp-durable", durable=True, suspend_after=0)
def durable(payload: str) -> str:
    """Wait without a process, for a token."""
    first = step("first", lambda: "one")
    token = wait.create_token(idempotency_key=payload)
    with logger.span("asking"):
        wait.for_token(token.id, str).unwrap()
    return first + step("second", lambda: "two")


@task(id="sp-killed", init=prepare, retry=ONCE_MORE)
def killed(payload: int, ctx: Context) -> str:
    """Die by SIGKILL within a span, once it is known to be open."""
    if ctx.attempt.number > 1:
        return "saved"
    with logger.span("outer"), logger.span("deadly"):
        time.sleep(payload)
        os.kill(os.getpid(), signal.SIGKILL)
    return "never"


@task(id="sp-slow", init=prepare)
async def slow(payload: float) -> None:
    """Sleep within spans."""
    with logger.span("long"):
        await asyncio.sleep(payload)


ALL: list[Task[int, int]] = [everything, async_everything]


@task(id="sp-hostile", retry=Retry(max_attempts=1))
def hostile(payload: str) -> None:
    """Put the payload wherever user data goes, with escape sequences, and fail."""
    red = f"\x1b[31m{payload}\x1b[0m"
    logger.error(red, **{payload: red})
    metadata.set(payload, red)
    with logger.span(red, field=red):
        raise ValueError(red)


@task(id="sp-large")
def large(payload: int) -> list[str]:
    """Return as many characters."""
    return ["x" * 1000] * (payload // 1000)
