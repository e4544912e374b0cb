"""Tasks that write to output streams, and tasks that read from input streams."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from pydantic import BaseModel

from taskflow import (
    Context,
    Queue,
    RunHandle,
    StreamClosedError,
    StreamError,
    StreamTimeoutError,
    logger,
    streams,
    task,
)
from tests.projects.fleet_tasks import FAST, write


class Approval(BaseModel):
    """The decision of a person."""

    by: str
    yes: bool


tokens = streams.define("tokens", str)
times = streams.define("times", float)
shared = streams.define("shared", int)
other_shared = streams.define("shared", str)
approval = streams.input("approval", Approval)


def words(count: int) -> Iterator[str]:
    """Yield the words of an answer, as a model would."""
    yield from (f"word-{number}" for number in range(count))


async def awords(count: int) -> AsyncIterator[str]:
    """Yield the words of an answer, as a model would."""
    for word in words(count):
        yield word


@task(id="s-tell", retry=FAST)
def tell(payload: int, ctx: Context) -> str:
    """Write words with every verb of an output stream. The first attempt fails in the middle."""
    said = "".join(tokens.pipe(words(payload)))
    if ctx.attempt.number == 1:
        raise ConnectionError("once")
    with tokens.writer() as write_token:
        write_token("written")
    tokens.append("last")
    return said


@task(id="s-atell", retry=FAST)
async def atell(payload: int) -> str:
    """Do the same as a coroutine, in one attempt."""
    said = "".join([word async for word in tokens.apipe(awords(payload))])
    async with tokens.writer() as writer:
        await writer.awrite("written")
    await tokens.aappend("last")
    return said


@task(id="s-slow", retry=FAST)
def slow(payload: int) -> None:
    """Write the time again and again, so that readers can measure the delay. Ends at an item of the input stream."""
    for _ in range(payload):
        times.append(time.time())
        time.sleep(0.02)
    approval.once(timeout=20)


@task(id="s-aslow", retry=FAST)
async def aslow(payload: int) -> None:
    """Do the same as a coroutine."""
    for _ in range(payload):
        await times.aappend(time.time())
        await asyncio.sleep(0.02)
    await approval.aonce(timeout=20)


@task(id="s-child", retry=FAST)
def child(payload: int) -> None:
    """Write to the parent's stream."""
    with shared.writer(target="parent") as write_item:
        for number in range(100):
            write_item(payload * 1000 + number)
    shared.append(-payload, target="root")


@task(id="s-parent", retry=FAST)
def parent(payload: int, ctx: Context) -> list[int]:
    """Read the items of the children while they write them."""
    handles: list[RunHandle[None]] = [child.trigger(number) for number in range(1, payload + 1)]
    items: list[int] = []
    for item in shared.read(ctx.run.id, timeout=20):
        items.append(item)
        if len(items) == 101 * payload:
            break
    for handle in handles:
        handle.result(timeout=20)
    return items


@task(id="s-fill", retry=FAST)
def fill(payload: int) -> str:
    """Append items until one is refused."""
    try:
        for word in words(payload):
            tokens.append(word)
    except StreamError as refused:
        return str(refused)
    return "filled"


@task(id="s-hang", retry=FAST)
async def hang(payload: None, ctx: Context) -> None:
    """Append an item every 10 ms, and note when one is refused."""
    number = 0
    while True:
        number += 1
        await shared.aappend(ctx.attempt.number * 100_000 + number)
        if ctx.attempt.number > 1 and number > 20:
            return
        await asyncio.sleep(0.01)


@task(id="s-ask", retry=FAST)
def ask(payload: int, ctx: Context) -> list[str]:
    """Read answers. The first attempt fails after the first of them."""
    write("asks", ctx.run.id, ctx.attempt.number)
    first = approval.once(timeout=20)
    if ctx.attempt.number == 1:
        raise ConnectionError("once")
    assert approval.peek() == approval.peek()
    return [first.by, *(answer.by for answer in approval)]


@task(id="s-aask", retry=FAST)
async def aask(payload: int, ctx: Context) -> list[str]:
    """Do the same in coroutines, which share the items."""
    assert await approval.apeek() is None
    write("asks", ctx.run.id, ctx.attempt.number)
    names = [answer.by for answer in await asyncio.gather(*(approval.aonce(timeout=20) for _ in range(payload)))]
    return [*sorted(names), *[answer.by async for answer in approval]]


@task(id="s-on", retry=FAST)
def on(payload: int, ctx: Context) -> list[str]:
    """Compute, while a function is called with each item."""
    heard: list[str] = []

    def hear(answer: Approval) -> None:
        logger.info("heard", by=answer.by)
        heard.append(answer.by)
        if not answer.yes:
            raise ValueError("no is no answer")

    approval.on(hear)
    write("listens", ctx.run.id)
    while len(heard) < payload:
        time.sleep(0.01)
    return heard


@task(id="s-aon", retry=FAST)
async def aon(payload: int, ctx: Context) -> list[str]:
    """Do the same as a coroutine. After ``off`` the function gets no more items."""
    heard: list[str] = []
    done = asyncio.Event()

    async def hear(answer: Approval) -> None:
        await asyncio.sleep(0)
        heard.append(answer.by)
        if len(heard) == payload:
            done.set()

    listener = approval.on(hear)
    write("listens", ctx.run.id)
    await done.wait()
    listener.off()
    await approval.aonce()
    return heard


ONE_DESK = Queue("s-desk", concurrency_limit=1)


@task(id="s-wait", retry=FAST, queue=ONE_DESK)
def wait_for_answers(payload: float, ctx: Context) -> list[str]:
    """Wait for answers without a slot, and write before and after. A timeout is written too."""
    heard: list[str] = []
    approval.on(lambda answer: heard.append(answer.by))
    tokens.append("before")
    names = [approval.wait().by]
    tokens.append("after")
    try:
        approval.wait(timeout=payload)
    except StreamTimeoutError as late:
        names.append(f"no {late.index}")
    names.append(approval.once().by)
    try:
        while True:
            names.append(approval.wait(timeout=20).by)
    except StreamClosedError:
        return [*names, *(f"heard {name}" for name in heard)]


@task(id="s-await", retry=FAST, queue=ONE_DESK)
async def await_answers(payload: float, ctx: Context) -> list[str]:
    """Do the same in coroutines, two of which wait at a time."""
    heard: list[str] = []
    approval.on(lambda answer: heard.append(answer.by))
    await tokens.aappend("before")
    names = [(await approval.await_next()).by]
    await tokens.aappend("after")
    try:
        await approval.await_next(timeout=payload)
    except StreamTimeoutError as late:
        names.append(f"no {late.index}")
    names.append((await approval.aonce()).by)
    try:
        while True:
            both = await asyncio.gather(*(approval.await_next(timeout=20) for _ in range(2)))
            names += sorted(answer.by for answer in both)
    except StreamClosedError:
        return [*names, *(f"heard {name}" for name in heard)]


@task(id="s-wait-told", retry=FAST)
async def tell_while_waiting(payload: int) -> None:
    """Write in the background every item that is read, while the run goes on under one claim after another."""

    async def repeat(answer: Approval) -> None:
        await tokens.aappend(answer.by)

    approval.on(repeat)
    for _ in range(payload):
        await approval.await_next()
    await asyncio.sleep(0.2)  # so that the last item is also written
