"""Tasks that set metadata and tags and write log lines, and tasks that retry a block."""

import asyncio
import logging
import os
import signal
import threading

from celery.utils.log import get_task_logger

from taskflow import Context, Retry, RunHandle, logger, metadata, retry, tags, task
from tests.projects.fleet_tasks import FAST, write

STANDARD = logging.getLogger("shop.orders")


@task(id="r-tell", retry=FAST)
def tell(payload: int, ctx: Context) -> dict[str, object]:
    """Use every reporting verb, from two threads, and fail once."""
    metadata.set("attempt", ctx.attempt.number).increment("tries").append("log", ctx.attempt.number)
    metadata.set("$.progress.done", 0.1 + 0.2).decrement("$.progress.left", payload)
    tags.add("told", f"attempt/{ctx.attempt.number}")
    logger.info("hello", payload=payload)
    logger.debug("only kept")
    STANDARD.warning("from %s", "logging")
    print("printed")
    get_task_logger("shop.celery").error("by Celery's")
    thread = threading.Thread(target=lambda: STANDARD.error("from a thread"))
    thread.start()
    thread.join()
    with logger.span("told", payload=payload):
        pass
    if ctx.attempt.number == 1:
        raise ConnectionError("once")
    return metadata.current()


@task(id="r-atell", retry=FAST)
async def atell(payload: int, ctx: Context) -> object:
    """Use them in a coroutine. After a flush, metadata that is read back has the changes of other processes."""
    metadata.set("who", payload)
    tags.add(f"n{payload}")
    logger.info("hello", who=payload)
    await asyncio.sleep(0)
    STANDARD.warning("still %d", payload)
    await metadata.aflush()
    return metadata.get("who")


@task(id="r-child", retry=FAST)
def child(payload: int) -> None:
    """Increment counters of the parent and of the root."""
    for _ in range(10):
        metadata.parent.increment("done")
    metadata.parent.append("who", payload)
    metadata.root.increment("all", 0.5)


@task(id="r-achild", retry=FAST)
async def achild(payload: int) -> None:
    """Increment counters of the parent, as a coroutine."""
    metadata.parent.increment("done", payload)


@task(id="r-parent", retry=FAST)
def parent(payload: int) -> object:
    """Trigger children of both kinds, wait for them, and return their counts."""
    metadata.set("mine", True)
    handles: list[RunHandle[None]] = [child.trigger(number) for number in range(payload)]
    handles += [achild.trigger(number) for number in range(payload)]
    for handle in handles:
        handle.result(timeout=20)
    metadata.increment("done", 0).flush()
    return metadata.get("done")


@task(id="r-crash", retry=FAST)
def crash(payload: int, ctx: Context) -> int:
    """Log a line, then kill the process. The second attempt returns."""
    for number in range(payload):
        logger.info("line", number=number, attempt=ctx.attempt.number)
    if ctx.attempt.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return ctx.attempt.number


@task(id="r-acrash", retry=FAST)
async def acrash(payload: int, ctx: Context) -> int:
    """Do the same in a coroutine: the whole node dies."""
    for number in range(payload):
        logger.info("line", number=number, attempt=ctx.attempt.number)
    if ctx.attempt.number == 1:
        write("dies", ctx.run.id)
        os.kill(os.getpid(), signal.SIGKILL)
    return ctx.attempt.number


PATIENT = Retry(max_attempts=5, min_delay=60, max_delay=60)


@task(id="r-again", retry=FAST)
def again(payload: None, ctx: Context) -> None:
    """Retry a block with delays of a minute, and write to the ledger when the code leaves a delay."""

    def block(attempt: int) -> None:
        write("tries", ctx.run.id, attempt)
        raise ConnectionError

    try:
        retry.on_error(block, PATIENT)
    finally:
        write("left", ctx.run.id)


@task(id="r-aagain", retry=FAST)
async def aagain(payload: None, ctx: Context) -> None:
    """Do the same as a coroutine."""

    @retry.on_error(PATIENT)
    async def block() -> None:
        write("tries", ctx.run.id, 1)
        raise ConnectionError

    try:
        await block()
    finally:
        write("left", ctx.run.id)
